/** Takes the types out of TypeScript and leaves blanks, so that every line and column stays where it was. */
import { createRequire } from "node:module";
import { messageOf } from "@koala/interface";

/** Something that is wrong with a source; line and column from 1. */
export interface SourceProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

type Stripper = typeof import("@swc/wasm-typescript");

let stripper: Stripper | undefined;

/** The JavaScript in a source, or what is wrong with it. */
export function stripTypes(source: string): { code: string } | { problem: SourceProblem } {
  // Several megabytes of WebAssembly, which a daemon without TypeScript modules never needs.
  stripper ??= createRequire(import.meta.url)("@swc/wasm-typescript") as Stripper;
  try {
    const options = { mode: "strip-only", module: true } as const;
    return { code: stripper.transformSync(source, options).code };
  } catch (error) {
    return { problem: readProblem(error) };
  }
}

/** The stripper throws plain objects; its lines count from 1, its columns from 0. */
function readProblem(error: unknown): SourceProblem {
  const thrown = error as { message?: unknown; startLine?: unknown; startColumn?: unknown };
  const { startLine, startColumn } = thrown;
  return {
    line: typeof startLine === "number" ? startLine : 1,
    column: typeof startColumn === "number" ? startColumn + 1 : 1,
    message: typeof thrown.message === "string" ? thrown.message : messageOf(error),
  };
}
