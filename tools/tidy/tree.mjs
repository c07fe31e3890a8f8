/**
 * The files that belong to a repository: what git tracks or would track, or, where there is no git (an
 * unpacked archive, a test's folder), all that is not installed or built.
 */
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { filesUnder } from "../run/root.mjs";

/**
 * @typedef {object} TreeFile
 * @property {string} path relative to the tree, with slashes
 * @property {boolean} isBinary
 * @property {boolean} isGenerated made by a program: its form is not ours
 * @property {string} text "" for a binary file
 * @property {string[]} lines
 */

/**
 * @typedef {object} Tree
 * @property {string} root
 * @property {TreeFile[]} files sorted by path
 */

const generated = /(^|\/)(gen|node_modules|dist)\/|(^|\/)package-lock\.json$|^LICENSE$/;

/**
 * @param {string} root
 * @returns {Tree}
 */
export function readTree(root) {
  const files = listFiles(root)
    .filter((path) => lstatSync(join(root, path), { throwIfNoEntry: false })?.isFile())
    .sort()
    .map((path) => readTreeFile(root, path));
  return { root, files };
}

/**
 * @param {string} root
 * @param {string} path
 * @returns {TreeFile}
 */
function readTreeFile(root, path) {
  const bytes = readFileSync(join(root, path));
  const isBinary = bytes.includes(0);
  const text = isBinary ? "" : bytes.toString("utf8");
  return { path, isBinary, isGenerated: generated.test(path), text, lines: text.split("\n") };
}

/** @param {string} root */
function listFiles(root) {
  if (!existsSync(join(root, ".git"))) {
    return filesUnder(".", () => true, root).map((path) => path.slice("./".length));
  }
  const args = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
  const output = execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 << 20 });
  return [...new Set(output.split("\0").filter((path) => path !== ""))];
}

/**
 * True for a file that holds code of ours, in a language that has comments.
 *
 * @param {TreeFile} file
 * @returns {boolean}
 */
export function isCode(file) {
  return !file.isGenerated && /\.(ts|mts|js|mjs|c|h|cc|cpp|proto|sh)$/.test(file.path);
}
