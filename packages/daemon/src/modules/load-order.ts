/**
 * The files behind a package, those first that import none of the others: loading them one by one takes
 * as long as loading all at once, but a runtime can carry calls in between.
 */
import { readFileSync, realpathSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "es-module-lexer";
import { findImport } from "./package-entry.ts";

/** What a package's file imports does not change while the daemon runs: packages are loaded once. */
const imported = new Map<string, readonly string[]>();

/** Adds the file of a `file:` address and all that it imports to `order`, unless they are there. */
export function addLoadOrder(url: string, order: Set<string>): void {
  if (url.startsWith("file:")) add(fileURLToPath(url), order, new Set());
}

function add(file: string, order: Set<string>, above: Set<string>): void {
  if (order.has(file) || above.has(file)) return;
  above.add(file);
  for (const next of importsOf(file)) add(next, order, above);
  order.add(file);
}

function importsOf(file: string): readonly string[] {
  let found = imported.get(file);
  if (found === undefined) {
    found = readImports(file);
    imported.set(file, found);
  }
  return found;
}

/** Files only; what can't be found is left to Node, which loads it with whoever imports it. */
function readImports(file: string): string[] {
  if (![".js", ".mjs"].includes(extname(file))) return [];
  try {
    const [references] = parse(readFileSync(file, "utf8"));
    return references.flatMap(({ type, specifier }) => {
      const isStatic = type === "static" || type === "reexport-star";
      if (!isStatic || specifier === undefined || isBuiltin(specifier)) return [];
      const path = /^\.{1,2}\//.test(specifier)
        ? resolve(dirname(file), specifier)
        : findImport(specifier, file);
      return path === undefined ? [] : [realpathSync(path)];
    });
  } catch {
    return [];
  }
}
