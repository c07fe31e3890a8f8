/** Which file a package exports, by Node's rules for `import`; for packages in folders of the operator. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { KoalaError, messageOf } from "@koala/interface";

const conditions = ["node", "import", "module-sync", "default"];
const namePattern = /^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;

/** Whether a text can be the name of a package. */
export function isPackageName(text: string): boolean {
  return text.length <= 214 && namePattern.test(text);
}

/** The file behind `subpath` (`.`, `./engine`) of the package in a folder; undefined if there is none. */
export function findPackageEntry(folder: string, subpath: string): string | undefined {
  const manifest = readManifest(join(folder, "package.json"));
  const { exports, main } = manifest;
  if (exports !== undefined && exports !== null) {
    const target = targetOf(exports, subpath);
    return target === undefined ? undefined : existing(join(folder, target));
  }
  if (subpath !== ".") return existing(join(folder, subpath));
  const names = typeof main === "string" ? [main, `${main}.js`, join(main, "index.js")] : [];
  for (const name of [...names, "index.js", "index.mjs"]) {
    const file = existing(join(folder, name));
    if (file !== undefined) return file;
  }
  return undefined;
}

/** The file that a bare specifier in `file` means: looks through the `node_modules` of all folders above. */
export function findImport(specifier: string, file: string): string | undefined {
  const parts = specifier.split("/");
  const count = specifier.startsWith("@") ? 2 : 1;
  const name = parts.slice(0, count).join("/");
  if (!isPackageName(name)) return undefined;
  const subpath = ["."].concat(parts.slice(count)).join("/");
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const home = join(folder, "node_modules", name);
    if (existsSync(home)) return findPackageEntry(home, subpath);
    if (folder === dirname(folder)) return undefined;
  }
}

function readManifest(path: string): { exports?: unknown; main?: unknown } {
  if (!existsSync(path)) return {};
  try {
    const manifest: unknown = JSON.parse(readFileSync(path, "utf8"));
    return typeof manifest === "object" && manifest !== null ? manifest : {};
  } catch (cause) {
    throw new KoalaError("ERR_MODULE_PACKAGE", `${path}: not JSON: ${messageOf(cause)}`, { cause });
  }
}

/** `exports` is a target, conditions of targets, or targets by subpath, whose keys begin with a dot. */
function targetOf(exports: unknown, subpath: string): string | undefined {
  const isMap =
    typeof exports === "object" &&
    exports !== null &&
    !Array.isArray(exports) &&
    Object.keys(exports).some((key) => key.startsWith("."));
  if (!isMap) return subpath === "." ? conditional(exports) : undefined;
  const table = exports as Record<string, unknown>;
  if (Object.hasOwn(table, subpath)) return conditional(table[subpath]);
  for (const [key, value] of Object.entries(table)) {
    const [before = "", after] = key.split("*");
    if (after === undefined || !subpath.startsWith(before) || !subpath.endsWith(after)) continue;
    const star = subpath.slice(before.length, subpath.length - after.length);
    return conditional(value)?.replaceAll("*", star);
  }
  return undefined;
}

function conditional(target: unknown): string | undefined {
  if (typeof target === "string") return target;
  if (Array.isArray(target)) {
    return target.map(conditional).find((found) => found !== undefined);
  }
  if (typeof target !== "object" || target === null) return undefined;
  for (const [condition, value] of Object.entries(target)) {
    if (!conditions.includes(condition)) continue;
    const found = conditional(value);
    if (found !== undefined) return found;
  }
  return undefined;
}

function existing(file: string): string | undefined {
  return existsSync(file) && statSync(file).isFile() ? file : undefined;
}
