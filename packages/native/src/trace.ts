/** A trace of every native call on stderr, for `KOALA_NATIVE_TRACE=1`. */
import { writeSync } from "node:fs";
import type { Binding } from "./binding.ts";

type AnyFunction = (...values: unknown[]) => unknown;

/** The same functions, each writing a line after it ran. Without the variable nobody calls this. */
export function traced(binding: Binding): Binding {
  const wrapped: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(binding)) {
    wrapped[name] = typeof value === "function" ? tracedCall(name, value as AnyFunction) : value;
  }
  return wrapped as unknown as Binding;
}

function tracedCall(name: string, call: AnyFunction): AnyFunction {
  return (...values) => {
    const start = process.hrtime.bigint();
    let outcome = "threw";
    try {
      const result = call(...values);
      outcome = describe(result);
      return result;
    } finally {
      const micros = Number(process.hrtime.bigint() - start) / 1000;
      const line = `koala-native ${name}(${values.map(describe).join(", ")}) = ${outcome} ${micros.toFixed(1)}us\n`;
      writeLine(line);
    }
  };
}

/** Synchronous, so that the last line before a crash is there; a full or closed stderr loses lines. */
function writeLine(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // A trace must not change what the program does.
  }
}

/** Numbers as they are; of everything else only the kind and the size, never content. */
function describe(value: unknown): string {
  if (typeof value === "string") return `string:${value.length}`;
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
    return `${value.constructor.name}:${value.byteLength}`;
  }
  if (Array.isArray(value)) return `array:${value.length}`;
  if (typeof value === "function") return "function";
  if (typeof value === "object" && value !== null) return "object";
  return String(value);
}
