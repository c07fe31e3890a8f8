/**
 * The habits that a program can check and the linter does not. Run by `npm run check` and, as a test,
 * by `npm test`. Every rule has a test with a tree that it must refuse.
 */
import { binaries } from "./binaries.mjs";
import { imports } from "./imports.mjs";
import { markdown } from "./markdown.mjs";
import { names } from "./names.mjs";
import { packages } from "./packages.mjs";
import { places } from "./places.mjs";
import { text } from "./text.mjs";
import { readTree } from "./tree.mjs";
import { words } from "./words.mjs";

/** @type {import("./problem.mjs").Rule[]} */
const rules = [words, names, places, text, binaries, markdown, packages, imports];

/**
 * What all rules find in a tree, sorted by file.
 *
 * @param {string} root
 * @param {string[]} [paths] only problems at or under these; all when empty
 * @returns {import("./problem.mjs").Problem[]}
 */
export function findProblems(root, paths = []) {
  const tree = readTree(root);
  return rules
    .flatMap((rule) => rule.find(tree))
    .filter(({ path }) => paths.length === 0 || paths.some((chosen) => isUnder(path, chosen)))
    .sort((left, right) => compare(left.path, right.path) || (left.line ?? 0) - (right.line ?? 0));
}

/**
 * @param {string} path
 * @param {string} chosen
 */
function isUnder(path, chosen) {
  return chosen === "." || path === chosen || path.startsWith(`${chosen.replace(/\/$/, "")}/`);
}

/**
 * @param {string} left
 * @param {string} right
 */
function compare(left, right) {
  return left < right ? -1 : left > right ? 1 : 0;
}
