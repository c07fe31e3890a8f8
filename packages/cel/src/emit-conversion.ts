/** `int()`, `uint()`, `double()`, `string()`, `timestamp()` and `duration()`. */
import { emitPresent } from "./emit-present.ts";
import type { Emitter } from "./emitter.ts";
import type { Call } from "./expression.ts";
import { durationFrom, timestampFrom } from "./time-literal.ts";
import { describeType, doubleType, type IntegerType, isInteger, stringType } from "./type.ts";
import { asNumberCode, isError, type Value } from "./value.ts";

export const conversions: ReadonlySet<string> = new Set([
  "int",
  "uint",
  "double",
  "string",
  "timestamp",
  "duration",
]);

export function emitConversion(emitter: Emitter, { name, args, offset }: Call): Value {
  const [operand] = args;
  if (operand === undefined || args.length > 1) {
    return emitter.problem(offset, `${name}() needs one value`);
  }
  const value = emitPresent(emitter, operand);
  if (isError(value)) return value;
  const converted = convert(emitter, name, value, offset);
  if (converted !== undefined) return converted;
  const found = describeType(value.type);
  return emitter.problem(offset, `${name}() is not defined for ${found}`);
}

function convert(emitter: Emitter, name: string, value: Value, offset: number): Value | undefined {
  if (value.type.kind === name) return value;
  switch (name) {
    case "int":
    case "uint":
      return toInteger(emitter, name, value, offset);
    case "double":
      return toDouble(emitter, value, offset);
    case "string": {
      const isFitting = isInteger(value.type) || value.type.kind === "bool";
      if (!isFitting) return undefined;
      return { type: stringType, code: `String(${value.code})`, isSimple: false };
    }
    default:
      return toTime(emitter, name as "timestamp" | "duration", value, offset);
  }
}

function toInteger(
  emitter: Emitter,
  kind: "int" | "uint",
  value: Value,
  offset: number,
): Value | undefined {
  const outside = (): string =>
    emitter.failing(offset, `the value is outside of the range of ${kind}`);
  if (isInteger(value.type)) return betweenIntegers(emitter, kind, value, outside);
  const type: IntegerType = { kind, form: "bigint" };
  if (value.type.kind === "double" || value.type.kind === "string") {
    const parse = value.type.kind === "double" ? "integerOfDouble" : "integerOfText";
    const code = `rt.${parse}(${value.code}, ${kind === "uint"})`;
    const found = emitter.simple({ type, code, isSimple: false });
    emitter.line(`if (${found.code} === undefined) ${outside()}`);
    return found;
  }
  if (kind === "uint" || value.type.kind !== "timestamp") return undefined;
  return { type, code: `rt.floorSeconds(${value.code})`, isSimple: false };
}

function betweenIntegers(
  emitter: Emitter,
  kind: "int" | "uint",
  value: Value,
  outside: () => string,
): Value {
  const { form } = value.type as IntegerType;
  const found = emitter.simple(value);
  if (kind === "uint") {
    emitter.line(`if (${found.code} < ${form === "bigint" ? "0n" : "0"}) ${outside()}`);
  } else if (form === "bigint") {
    emitter.line(`if (${found.code} > 9223372036854775807n) ${outside()}`);
  }
  const { constant: _, ...rest } = found;
  return { ...rest, type: { kind, form } };
}

function toDouble(emitter: Emitter, value: Value, offset: number): Value | undefined {
  if (isInteger(value.type)) {
    return { type: doubleType, code: asNumberCode(value), isSimple: false };
  }
  if (value.type.kind !== "string") return undefined;
  const code = `rt.doubleOfText(${value.code})`;
  const found = emitter.simple({ type: doubleType, code, isSimple: false });
  emitter.line(
    `if (${found.code} === undefined) ${emitter.failing(offset, "no number in the text")}`,
  );
  return found;
}

function toTime(
  emitter: Emitter,
  kind: "timestamp" | "duration",
  { constant }: Value,
  offset: number,
): Value | undefined {
  if (typeof constant !== "string") {
    return emitter.problem(offset, `${kind}() needs a string literal`);
  }
  const nanoseconds = kind === "timestamp" ? timestampFrom(constant) : durationFrom(constant);
  if (nanoseconds === undefined) {
    const example = kind === "timestamp" ? "2026-01-31T12:00:00Z" : "1h30m";
    return emitter.problem(offset, `not a ${kind}; expected one like "${example}"`);
  }
  const type = { kind, form: "nanoseconds" } as const;
  const code = nanoseconds < 0n ? `(${nanoseconds}n)` : `${nanoseconds}n`;
  return { type, code, isSimple: true };
}
