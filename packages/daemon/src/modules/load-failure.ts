/** Says of a module that does not load where in its author's files it went wrong. */
import { pathToFileURL } from "node:url";
import { Script } from "node:vm";
import { KoalaError, messageOf } from "@koala/interface";
import type { CompiledModule } from "./compile.ts";
import { type SourceFile, sourcePlace } from "./source-file.ts";
import { stripTypes } from "./strip-types.ts";

/** The error that the operator sees, for what loading a module has thrown. */
export function explainLoadFailure(
  compiled: CompiledModule,
  use: string,
  error: unknown,
): KoalaError {
  const message = withoutCopies(compiled, messageOf(error));
  if (isError(error, "ERR_REQUIRE_ASYNC_MODULE")) {
    return new KoalaError(
      "ERR_MODULE_LOAD",
      `${use}: the module awaits at its top level, but the threads that carry calls never wait. Do that in "control", which runs beside them`,
      { cause: error },
    );
  }
  if (error instanceof SyntaxError) {
    const place = syntaxPlace(compiled, error) ?? use;
    return new KoalaError("ERR_MODULE_SYNTAX", `${place}: ${message}`, { cause: error });
  }
  const place = error instanceof Error ? stackPlace(compiled, error.stack ?? "") : undefined;
  const name = error instanceof Error && error.name !== "Error" ? `${error.name}: ` : "";
  return new KoalaError(
    "ERR_MODULE_LOAD",
    `${place ?? use}: threw while it was loaded: ${name}${message}`,
    {
      cause: error,
    },
  );
}

/** The innermost frame in one of the module's own files: `file:line:column`. */
export function stackPlace(compiled: CompiledModule, stack: string): string | undefined {
  const urls = new Map<string, string>();
  for (const [copy, { path }] of compiled.sources) {
    urls.set(pathToFileURL(copy).href, path);
    urls.set(pathToFileURL(path).href, path);
  }
  for (const [, url = "", position = ""] of stack.matchAll(
    /\(?(file:\/\/[^\s()]+?):(\d+:\d+)\)?/g,
  )) {
    const path = urls.get(url);
    if (path !== undefined) return `${path}:${position}`;
  }
  return undefined;
}

function syntaxPlace(compiled: CompiledModule, error: SyntaxError): string | undefined {
  const missing = missingExport(compiled, error.message);
  if (missing !== undefined) return missing;
  for (const { path, text } of compiled.sources.values()) {
    const result = stripTypes(text);
    if ("problem" in result) return `${path}:${result.problem.line}:${result.problem.column}`;
  }
  for (const source of compiled.sources.values()) {
    const place = scriptPlace(source);
    if (place !== undefined) return place;
  }
  return undefined;
}

/**
 * Errors that only the engine finds, such as a name that is declared twice. It says where for scripts, so
 * the module is made one: imports and the word `export` become blanks.
 */
function scriptPlace({ path, code, imports }: SourceFile): string | undefined {
  let text = code;
  for (const { start } of imports) {
    const begin = Math.max(text.lastIndexOf("import", start), text.lastIndexOf("export", start));
    const end = text.slice(start).search(/["'][ \t]*(;|\n|$)/);
    if (begin >= 0 && end >= 0) text = blank(text, begin, start + end + 1);
  }
  text = text
    .replaceAll(/^([ \t]*)export default\b/gm, "$10,            ")
    .replaceAll(/^([ \t]*)export \{[^}]*\}/gm, (found) => blank(found, 0, found.length))
    .replaceAll(/^([ \t]*)export\b/gm, "$1      ");
  try {
    new Script(`"use strict";\n${text}`, { filename: path, lineOffset: -1 });
    return undefined;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // `file:2`, the line, carets below it.
    const found = /^[^\n]*:(\d+)\n[^\n]*\n( *)\^/.exec(error.stack ?? "");
    return found === null ? undefined : `${path}:${found[1]}:${found[2]!.length + 1}`;
  }
}

function blank(text: string, start: number, end: number): string {
  return text.slice(0, start) + text.slice(start, end).replace(/[^\n]/g, " ") + text.slice(end);
}

/** An import of a name that the other file does not have: where it is imported. */
function missingExport(compiled: CompiledModule, message: string): string | undefined {
  const found = /requested module '([^']+)' does not provide an export named '([^']+)'/.exec(
    message,
  );
  if (found === null) return undefined;
  const [, specifier = "", name = ""] = found;
  for (const source of compiled.sources.values()) {
    for (const reference of source.imports) {
      const before = source.code.slice(0, reference.start);
      const clause = before.slice(before.lastIndexOf("import"));
      const at = new RegExp(`\\b${name.replace(/\W/g, "\\$&")}\\b`).exec(clause);
      const isDefault = name === "default" && !clause.includes("{");
      if (at === null && !isDefault) continue;
      if (!leadsTo(compiled, source, reference.specifier, specifier)) continue;
      const offset = before.length - clause.length + (at?.index ?? 0);
      return sourcePlace(source.path, source.text, offset);
    }
  }
  return undefined;
}

/** Whether what the author has written is what Node complains about, which is what it was rewritten to. */
function leadsTo(
  compiled: CompiledModule,
  source: SourceFile,
  written: string,
  complained: string,
): boolean {
  if (!complained.startsWith("./")) return true;
  const name = /^\.\/\d+-(.*)\.mjs$/.exec(complained)?.[1] ?? "";
  return compiled.sources.size > 0 && source.imports.length > 0 && written.includes(name);
}

/** Copies have names that mean nothing to the author. */
function withoutCopies(compiled: CompiledModule, message: string): string {
  let text = message;
  for (const [copy, { path }] of compiled.sources) {
    text = text.replaceAll(pathToFileURL(copy).href, path).replaceAll(copy, path);
  }
  return text.replaceAll(/'\.\/\d+-([^']*)\.mjs'/g, "'$1'");
}

function isError(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
