import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's folder, without a slash at its end. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/**
 * The folders of all workspaces, relative to `base`, in the order package.json names them.
 *
 * @param {string} [base] another tree than this repository (tests)
 * @returns {string[]}
 */
export function workspaceFolders(base = root) {
  /** @type {{ workspaces?: string[] }} */
  const manifest = JSON.parse(readFileSync(join(base, "package.json"), "utf8"));
  return (manifest.workspaces ?? [])
    .flatMap((pattern) =>
      pattern.endsWith("/*") ? children(base, pattern.slice(0, -2)) : [pattern],
    )
    .filter((folder) => existsSync(join(base, folder, "package.json")));
}

/**
 * @param {string} base
 * @param {string} folder
 */
function children(base, folder) {
  if (!existsSync(join(base, folder))) return [];
  return readdirSync(join(base, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${folder}/${entry.name}`)
    .sort();
}

/**
 * The files under a folder of the repository that satisfy `wanted`, relative to `base`, sorted.
 * What is installed or built is never looked at.
 *
 * @param {string} folder relative to `base`
 * @param {(name: string) => boolean} wanted
 * @param {string} [base]
 * @returns {string[]}
 */
export function filesUnder(folder, wanted, base = root) {
  const path = join(base, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .flatMap((entry) => {
      const inner = `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        return ["node_modules", "dist", "build", ".git", ".cache"].includes(entry.name)
          ? []
          : filesUnder(inner, wanted, base);
      }
      return entry.isFile() && wanted(entry.name) ? [inner] : [];
    })
    .sort();
}
