/**
 * What is checked besides the tests: by `npm run check` with a line each, and by `npm test` as tests
 * (tools/checks.test.mjs).
 */
import process from "node:process";
import { findDocumentProblems } from "../doc-check/doc-check.mjs";
import { describeProblems } from "../tidy/problem.mjs";
import { findProblems } from "../tidy/tidy.mjs";
import { capture } from "./child.mjs";
import { root } from "./root.mjs";

/**
 * `find` resolves to what is wrong, as text for a person, or to undefined. Given paths (relative to
 * the repository) it looks only at those where that makes sense.
 *
 * @type {{ name: string, find: (paths: string[]) => Promise<string | undefined> }[]}
 */
export const checks = [
  {
    name: "linter and formatter",
    find: (paths) =>
      outputOfFailure([
        "node_modules/@biomejs/biome/bin/biome",
        "check",
        "--no-errors-on-unmatched",
        ...(paths.length === 0 ? ["."] : paths),
      ]),
  },
  {
    name: "tidy",
    find: async (paths) => describeProblems(findProblems(root, paths)),
  },
  {
    name: "documents",
    find: async () => describeProblems(findDocumentProblems(root)),
  },
  {
    name: "types of the tools",
    find: () => outputOfFailure(["node_modules/typescript/bin/tsc", "-p", "tools/tsconfig.json"]),
  },
];

/** @param {string[]} args */
async function outputOfFailure(args) {
  const { code, output } = await capture(process.execPath, args);
  return code === 0 ? undefined : output;
}
