/** Names of files and folders that say nothing, or that mislead Node's test runner. */

import { isCode } from "./tree.mjs";

const vague = /(^|\/)(utils?|helpers?|common|types|misc)\.\w+$/;

/** @type {import("./problem.mjs").Rule} */
export const names = {
  name: "names of files",
  find: (tree) =>
    tree.files
      .filter((file) => isCode(file))
      .flatMap(({ path }) => [...findVague(path), ...findTestFolder(path)]),
};

/** @param {string} path */
function findVague(path) {
  if (!vague.test(path)) return [];
  return [{ path, message: "the name says nothing: name the file after the one idea it holds" }];
}

/** @param {string} path */
function findTestFolder(path) {
  if (!/(^|\/)test\/.*\.m?[jt]s$/.test(path)) return [];
  const message = 'Node runs every file in a folder "test" as a test: put x.test.ts beside x.ts';
  return [{ path, message }];
}
