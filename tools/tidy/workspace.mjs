/** The packages of a tree, as their own files describe them. */
import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { workspaceFolders } from "../run/root.mjs";

/**
 * @typedef {object} Package
 * @property {string} folder relative to the tree
 * @property {string} name
 * @property {string} version
 * @property {boolean} isPrivate
 * @property {Record<string, string>} dependencies all that its own package.json names, of whatever kind
 * @property {Record<string, string>} shipped those of them that users get
 * @property {string[] | undefined} references folders that its tsconfig.json names; undefined without one
 */

/**
 * @param {string} root
 * @returns {Package[]}
 */
export function readPackages(root) {
  if (!existsSync(join(root, "package.json"))) return [];
  return workspaceFolders(root).map((folder) => {
    const manifest = readJson(join(root, folder, "package.json"));
    const shipped = { ...manifest.dependencies, ...manifest.peerDependencies };
    return {
      folder,
      name: manifest.name ?? folder,
      version: manifest.version ?? "",
      isPrivate: manifest.private === true,
      dependencies: { ...shipped, ...manifest.devDependencies, ...manifest.optionalDependencies },
      shipped,
      references: readReferences(root, folder),
    };
  });
}

/**
 * The folders that the tsconfig.json of a folder refers to, relative to the tree.
 *
 * @param {string} root
 * @param {string} folder
 * @returns {string[] | undefined}
 */
export function readReferences(root, folder) {
  const path = join(root, folder, "tsconfig.json");
  if (!existsSync(path)) return undefined;
  /** @type {{ path: string }[]} */
  const references = readJson(path).references ?? [];
  return references.map((reference) => relative(root, join(root, folder, reference.path)));
}

/**
 * @param {string} path
 * @returns {any} whatever the file holds; what is read of it is checked where it matters
 */
export function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}
