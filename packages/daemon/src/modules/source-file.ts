/** One file of a module: its text, as JavaScript, and what it imports. */
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { KoalaError } from "@koala/interface";
import { init, parse } from "es-module-lexer";
import { positionAt } from "../config/problem.ts";
import { stripTypes } from "./strip-types.ts";

/** A file beyond this is no policy. */
const fileBytesMax = 4 * 1024 * 1024;

/** An `import` or `export … from`, or `import(…)` of a literal: where its specifier is in the text. */
export interface ImportReference {
  readonly specifier: string;
  /** Without quotes. */
  readonly start: number;
  readonly end: number;
}

export interface SourceFile {
  /** Real path. */
  readonly path: string;
  /** As it was written. */
  readonly text: string;
  /** Without types; each token stands where it stood. */
  readonly code: string;
  readonly imports: readonly ImportReference[];
  /** Where `import.meta` is used. */
  readonly metas: readonly { readonly start: number; readonly end: number }[];
}

/** Must have been awaited once before `readSource`. */
export const sourcesReady: Promise<void> = Promise.resolve(init());

/**
 * Reads a file, unless its text is known.
 *
 * @throws KoalaError `ERR_MODULE_SYNTAX` with file, line and column.
 */
export function readSource(path: string, known?: string): SourceFile {
  const text = known ?? readText(path);
  const code = isTypeScript(path) ? stripped(path, text) : text;
  const imports: ImportReference[] = [];
  const metas: { start: number; end: number }[] = [];
  for (const found of lexed(path, text, code)) {
    if (found.type === "import-meta") metas.push({ start: found.start, end: found.end });
    else if (found.specifier !== undefined && !("glob" in found && found.glob)) {
      imports.push(referenceOf(code, found.specifier, found));
    }
  }
  return { path, text, code, imports, metas };
}

/** `file:line:column` of an offset in a source. */
export function sourcePlace(path: string, text: string, offset: number): string {
  const { line, column } = positionAt(text, offset);
  return `${path}:${line}:${column}`;
}

function readText(path: string): string {
  const bytes = readFileSync(path);
  if (bytes.length > fileBytesMax) {
    throw new KoalaError(
      "ERR_MODULE_SYNTAX",
      `${path}: ${bytes.length} bytes, a file of a module may have ${fileBytesMax}`,
    );
  }
  return bytes.toString("utf8").replace(/^\uFEFF/, " ");
}

function isTypeScript(path: string): boolean {
  return [".ts", ".mts"].includes(extname(path));
}

function stripped(path: string, text: string): string {
  const result = stripTypes(text);
  if ("code" in result) return result.code;
  const { line, column, message } = result.problem;
  throw new KoalaError("ERR_MODULE_SYNTAX", `${path}:${line}:${column}: ${message}`);
}

function lexed(path: string, text: string, code: string): ReturnType<typeof parse>[0] {
  try {
    return parse(code, path)[0];
  } catch (cause) {
    // The lexer stops only at what no parser takes; the other one has the better message.
    const result = stripTypes(text);
    const problem = "problem" in result ? result.problem : undefined;
    const place = problem === undefined ? path : `${path}:${problem.line}:${problem.column}`;
    const message = problem?.message ?? "this is not JavaScript";
    throw new KoalaError("ERR_MODULE_SYNTAX", `${place}: ${message}`, { cause });
  }
}

/** The lexer counts the quotes in for `import(…)`, and leaves them out elsewhere. */
function referenceOf(
  code: string,
  specifier: string,
  found: { readonly start: number; readonly end: number },
): ImportReference {
  const isQuoted = /^["'`]/.test(code.slice(found.start, found.start + 1));
  const inset = isQuoted ? 1 : 0;
  return { specifier, start: found.start + inset, end: found.end - inset };
}
