/**
 * Finds the file of a module by what `use` says, and refuses code from elsewhere than the directories
 * that the configuration lists. Both sides of each comparison are real paths, so a symbolic link leads
 * out of a directory only if the directory itself is one.
 */
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, extname, isAbsolute, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { KoalaError } from "@koala/interface";
import { didYouMean } from "../config/suggestion.ts";
import { findPackageEntry, isPackageName } from "./package-entry.ts";

/** What a file of code may be called. */
export const codeExtensions: readonly string[] = [".ts", ".mts", ".js", ".mjs"];

/** Where a module is looked for. */
export interface ModulePlaces {
  /** Absolute; code may lie there, and nowhere else. */
  readonly directories: readonly string[];
  /** What relative paths are relative to: the folder of koala.toml. */
  readonly base: string;
}

/** A module that was found. */
export interface LocatedModule {
  /** Real path of its first file. */
  readonly entry: string;
  /** Real path of the folder that its files may lie in, when it is a package that ships; else undefined. */
  readonly builtIn: string | undefined;
}

/** Names of the policies that ship: `acl`, `log` … */
export const builtInNames: readonly string[] = readBuiltInNames();

/**
 * Finds a module.
 *
 * @throws KoalaError `ERR_MODULE_NAME` for what is neither a name nor a path, `ERR_MODULE_MISSING`, or
 * `ERR_MODULE_DIRECTORY` for code outside of the directories.
 */
export function locateModule(use: string, places: ModulePlaces): LocatedModule {
  if (isPath(use)) return locatePath(use, places);
  if (!isPackageName(use)) {
    throw new KoalaError(
      "ERR_MODULE_NAME",
      `"${use}" is neither the name of a module nor a path. Write a name such as "acl" or "@you/policy", or a path that begins with "./" or "/"`,
    );
  }
  const builtIn = use.startsWith("@koala/policy-") ? use.slice("@koala/policy-".length) : use;
  if (builtInNames.includes(builtIn)) return locateBuiltIn(builtIn);
  for (const directory of places.directories) {
    const found = findIn(directory, use);
    if (found !== undefined) return { entry: checkPlace(found, use, places), builtIn: undefined };
  }
  throw new KoalaError("ERR_MODULE_MISSING", notFound(use, places));
}

/** The real path of a file, if the configuration allows code there. */
export function checkPlace(file: string, use: string, places: ModulePlaces): string {
  const real = realpathSync(file);
  if (isListed(real, places)) return real;
  const via = real === file ? "" : `, which is ${real},`;
  throw new KoalaError(
    "ERR_MODULE_DIRECTORY",
    `${use}: code at ${file}${via} may not be loaded: ${listed(places)}. Move the file, or add its folder to directories in [modules] of koala.toml`,
  );
}

/** Whether a real path lies in one of the directories. */
export function isListed(real: string, { directories }: ModulePlaces): boolean {
  return directories.some((directory) => isBelow(real, realOf(directory)));
}

/** Whether a real path lies in a folder, also a real path. */
export function isBelow(file: string, folder: string): boolean {
  return file.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function locatePath(use: string, places: ModulePlaces): LocatedModule {
  const path = resolve(places.base, use);
  if (!existsSync(path)) {
    throw new KoalaError(
      "ERR_MODULE_MISSING",
      `there is no ${path}. Check the path${isAbsolute(use) ? "" : `, which is relative to ${places.base}`}`,
    );
  }
  // Nothing outside of the directories is read, not even to see what it is.
  const real = checkPlace(path, use, places);
  if (!statSync(real).isDirectory())
    return { entry: checkExtension(real, use), builtIn: undefined };
  const entry = findPackageEntry(real, ".");
  if (entry === undefined) {
    throw new KoalaError(
      "ERR_MODULE_MISSING",
      `${path} is a folder, but no package: it needs a package.json whose "exports" or "main" names a file, or an index.js`,
    );
  }
  return { entry: checkPlace(entry, use, places), builtIn: undefined };
}

function locateBuiltIn(name: string): LocatedModule {
  const entry = realpathSync(fileURLToPath(import.meta.resolve(`@koala/policy-${name}`)));
  let root = dirname(entry);
  while (!existsSync(join(root, "package.json"))) root = dirname(root);
  return { entry, builtIn: root };
}

/** A file or a package of that name in one of the directories, or installed there. */
function findIn(directory: string, name: string): string | undefined {
  if (!name.includes("/")) {
    for (const extension of codeExtensions) {
      const file = join(directory, name + extension);
      if (existsSync(file)) return file;
    }
  }
  for (const folder of [join(directory, name), join(directory, "node_modules", name)]) {
    const entry = existsSync(folder) ? findPackageEntry(folder, ".") : undefined;
    if (entry !== undefined) return entry;
  }
  return undefined;
}

function checkExtension(file: string, use: string): string {
  if (codeExtensions.includes(extname(file))) return file;
  throw new KoalaError(
    "ERR_MODULE_NAME",
    `${use}: ${basename(file)} is no module. Files of code end in ${codeExtensions.join(", ")}`,
  );
}

function isPath(use: string): boolean {
  return /^\.{0,2}\//.test(use) || codeExtensions.includes(extname(use));
}

function notFound(use: string, places: ModulePlaces): string {
  const hint = didYouMean(use, builtInNames);
  return `there is no module "${use}". ${hint === "" ? `Those that ship: ${builtInNames.join(", ")}` : hint.slice(0, -1)}${hint === "" ? "" : "?"} Looked for others as well: ${listed(places)}`;
}

function listed({ directories }: ModulePlaces): string {
  return directories.length === 0
    ? "[modules] of koala.toml lists no directories"
    : `the directories in [modules] of koala.toml are ${directories.join(", ")}`;
}

function realOf(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return directory; // it is not there (yet), so nothing lies in it
  }
}

function readBuiltInNames(): string[] {
  const url = new URL("../../package.json", import.meta.url);
  const manifest = JSON.parse(readFileSync(url, "utf8")) as { dependencies: object };
  return Object.keys(manifest.dependencies).flatMap((name) =>
    name.startsWith("@koala/policy-") ? [name.slice("@koala/policy-".length)] : [],
  );
}
