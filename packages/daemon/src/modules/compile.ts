/**
 * Makes what Node can load of a module: its files without types, in a folder of the daemon's own that is
 * named after a hash over all of them. So a changed module stands beside its older self, its relative
 * imports included, and threads load it without a hook, without a wait and on every version of Node.
 *
 * Imports are resolved here, not by Node, which is where it is decided what a module may reach: its own
 * files, packages in the directories of the configuration, the daemon's own packages, Node's modules.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, extname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { KoalaError } from "@koala/interface";
import { addLoadOrder } from "./load-order.ts";
import {
  checkPlace,
  codeExtensions,
  isBelow,
  isListed,
  type LocatedModule,
  type ModulePlaces,
} from "./locate.ts";
import { findImport } from "./package-entry.ts";
import { type ImportReference, readSource, type SourceFile, sourcePlace } from "./source-file.ts";

/** More files than this are no policy. */
const filesMax = 500;

/** A module in the form in which threads load it. */
export interface CompiledModule {
  /** Over the names and contents of all its files; in hex. */
  readonly hash: string;
  /** What a thread loads. */
  readonly path: string;
  /** Its files, by where they were copied to. */
  readonly sources: ReadonlyMap<string, SourceFile>;
  /** All files that loading it loads, also of packages; each comes behind those that it imports. */
  readonly order: readonly string[];
}

/** A module that was found and compiled. */
export interface CompiledCode {
  /** Real path of its first file. */
  readonly entry: string;
  readonly compiled: CompiledModule;
}

/** Where an import leads: to another file of the module, or to something that Node loads. */
type Target = { readonly file: string } | { readonly url: string };

/** Texts of files by real path; they count instead of what lies on disk. */
export type SourceTexts = ReadonlyMap<string, string>;

/**
 * Compiles a module into `cache`, a folder that nobody else can write to.
 *
 * @throws KoalaError `ERR_MODULE_SYNTAX`, `ERR_MODULE_IMPORT` with file, line and column, or
 * `ERR_MODULE_DIRECTORY`.
 */
export function compileModule(
  located: LocatedModule,
  places: ModulePlaces,
  cache: string,
  texts: SourceTexts = new Map(),
): CompiledModule {
  const files = readGraph(located, places, texts);
  const hash = hashOf([...files.values()].map(({ source }) => source));
  const folder = join(cache, hash);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const names = new Map([...files.keys()].map((file, index) => [file, nameOf(file, index)]));
  const sources = new Map<string, SourceFile>();
  for (const [file, { source, targets }] of files) {
    const path = join(folder, names.get(file)!);
    writeOnce(path, rewrite(source, targets, names));
    sources.set(path, source);
  }
  const path = join(folder, names.get(located.entry)!);
  return { hash, path, sources, order: orderOf(located.entry, files, names, folder) };
}

/** The order in which files can be loaded one by one. */
function orderOf(
  entry: string,
  files: ReadonlyMap<string, GraphFile>,
  names: ReadonlyMap<string, string>,
  folder: string,
): string[] {
  const order = new Set<string>();
  const above = new Set<string>();
  const add = (file: string): void => {
    if (above.has(file)) return;
    above.add(file);
    for (const target of files.get(file)!.targets.values()) {
      if ("file" in target) add(target.file);
      else addLoadOrder(target.url, order);
    }
    order.add(join(folder, names.get(file)!));
  };
  add(entry);
  return [...order];
}

interface GraphFile {
  readonly source: SourceFile;
  /** By specifier. */
  readonly targets: ReadonlyMap<string, Target>;
}

function readGraph(
  located: LocatedModule,
  places: ModulePlaces,
  texts: SourceTexts,
): Map<string, GraphFile> {
  const files = new Map<string, GraphFile>();
  const open = [located.entry];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (files.has(path)) continue;
    if (files.size === filesMax) {
      const text = `${located.entry}: more than ${filesMax} files belong to this module`;
      throw new KoalaError(
        "ERR_MODULE_IMPORT",
        `${text}. Bundle it, or install what it uses as packages`,
      );
    }
    const source = readSource(path, texts.get(path));
    const targets = new Map<string, Target>();
    for (const reference of source.imports) {
      const target = resolveImport(source, reference, located, places, texts);
      targets.set(reference.specifier, target);
      if ("file" in target) open.push(target.file);
    }
    files.set(path, { source, targets });
  }
  return files;
}

function resolveImport(
  source: SourceFile,
  reference: ImportReference,
  located: LocatedModule,
  places: ModulePlaces,
  texts: SourceTexts,
): Target {
  const { specifier } = reference;
  if (isBuiltin(specifier)) return { url: specifier };
  const fail = (text: string): never => {
    const place = sourcePlace(source.path, source.text, reference.start);
    throw new KoalaError("ERR_MODULE_IMPORT", `${place}: ${text}`);
  };
  if (/^\.{0,2}\/|^file:/.test(specifier)) {
    const path = specifier.startsWith("file:")
      ? fileURLToPath(specifier)
      : resolve(dirname(source.path), specifier);
    const known = candidatesOf(path).find((candidate) => texts.has(candidate));
    if (known !== undefined && isListed(known, places)) return { file: known };
    const file = findFile(path);
    if (file === undefined) return fail(`there is no ${path}`);
    return { file: insideOf(located, places, file, reference, fail) };
  }
  const own = ownPackage(specifier);
  if (located.builtIn !== undefined || specifier.startsWith("@koala/")) {
    return own === undefined ? fail(`the daemon has no package "${specifier}"`) : { url: own };
  }
  const found = findImport(specifier, source.path);
  if (found !== undefined) {
    return { url: pathToFileURL(insideOf(located, places, found, reference, fail)).href };
  }
  if (specifier === "zod" && own !== undefined) return { url: own };
  return fail(`there is no package "${specifier}" in a node_modules folder here or above`);
}

function insideOf(
  located: LocatedModule,
  places: ModulePlaces,
  file: string,
  { specifier }: ImportReference,
  fail: (text: string) => never,
): string {
  const real = realpathSync(file);
  if (located.builtIn !== undefined) {
    return isBelow(real, located.builtIn) ? real : fail(`${specifier} leads out of the package`);
  }
  try {
    return checkPlace(real, specifier, places);
  } catch (error) {
    if (error instanceof KoalaError) return fail(error.message);
    throw error;
  }
}

/** The file itself; for `./x.js` also `./x.ts`, as TypeScript has it. */
function findFile(path: string): string | undefined {
  const found = candidatesOf(path).find((candidate) => existsSync(candidate));
  return found !== undefined && codeExtensions.includes(extname(found)) ? found : undefined;
}

function candidatesOf(path: string): string[] {
  return [path, path.replace(/\.js$/, ".ts"), path.replace(/\.mjs$/, ".mts")];
}

/** A package as the daemon itself resolves it, so that modules share its copy. */
function ownPackage(specifier: string): string | undefined {
  try {
    return import.meta.resolve(specifier);
  } catch {
    return undefined;
  }
}

function hashOf(sources: readonly SourceFile[]): string {
  const hash = createHash("sha256");
  for (const { path, text } of sources) hash.update(JSON.stringify([path, text]));
  return hash.digest("hex").slice(0, 16);
}

/** Numbered, for two files of one name may come from different folders. */
function nameOf(file: string, index: number): string {
  return `${index}-${basename(file).replace(/\.[a-z]+$/, "")}.mjs`;
}

/** The code with its imports led to where they were resolved; lines stay as they are. */
function rewrite(
  source: SourceFile,
  targets: ReadonlyMap<string, Target>,
  names: ReadonlyMap<string, string>,
): string {
  const url = pathToFileURL(source.path).href;
  const edits = source.imports.map(({ specifier, start, end }) => {
    const target = targets.get(specifier)!;
    const text = "url" in target ? target.url : `./${names.get(target.file)!}`;
    return { start, end, text: encodeURI(decodeURI(text)).replace(/['"`\\]/g, encodeURIComponent) };
  });
  const meta = JSON.stringify({ url, filename: source.path, dirname: dirname(source.path) });
  for (const { start, end } of source.metas) edits.push({ start, end, text: `(${meta})` });
  let code = "";
  let at = 0;
  for (const { start, end, text } of edits.sort((a, b) => a.start - b.start)) {
    code += source.code.slice(at, start) + text;
    at = end;
  }
  // Stack traces show the file that the author knows.
  return `${code}${source.code.slice(at)}\n//# sourceURL=${url}\n`;
}

/** What another thread may be reading is left alone. */
function writeOnce(path: string, text: string): void {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  writeFileSync(path, text, { mode: 0o600 });
}
