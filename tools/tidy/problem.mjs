/**
 * @typedef {object} Problem what a rule has found
 * @property {string} path relative to the tree
 * @property {number} [line] counted from 1; not given when the whole file is meant
 * @property {string} message what is wrong and what to do
 */

/**
 * @typedef {object} Rule
 * @property {string} name
 * @property {(tree: import("./tree.mjs").Tree) => Problem[]} find
 */

/**
 * The problems as text for a person, one a line; undefined when there are none.
 *
 * @param {Problem[]} problems
 * @returns {string | undefined}
 */
export function describeProblems(problems) {
  if (problems.length === 0) return undefined;
  return problems
    .map(
      ({ path, line, message }) => `${line === undefined ? path : `${path}:${line}`}: ${message}`,
    )
    .join("\n");
}
