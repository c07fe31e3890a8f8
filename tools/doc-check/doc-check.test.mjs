import assert from "node:assert/strict";
import { test } from "node:test";
import { smallTree } from "../tidy/small-tree.mjs";
import { findDocumentProblems } from "./doc-check.mjs";

const page = "docs/reference/errors.md";
const source = "packages/shm/src/ring.ts";

/**
 * @param {import("node:test").TestContext} context
 * @param {Record<string, string>} files
 */
function problemsOf(context, files) {
  return findDocumentProblems(smallTree(context, files)).map(
    ({ path, line, message }) => `${path}:${line ?? ""} ${message}`,
  );
}

test("codes that are used and described agree", (context) => {
  const problems = problemsOf(context, {
    [source]: '// ERR_<AREA>_<WHAT>\nthrow new KoalaError("ERR_SHM_FULL", "x");\n',
    "packages/shm/src/ring.test.ts": 'assert(code === "ERR_SHM_TESTED");\n',
    "packages/shm/src/load.ts": 'if (code === "ERR_MODULE_NOT_FOUND") return;\n',
    [page]: "# Errors\n\n| `ERR_SHM_FULL` | full | wait; see `ERR_OTHER_X` |\n",
  });
  assert.deepEqual(problems, []);
});

test("a code that is not described is found where it is used", (context) => {
  const problems = problemsOf(context, {
    [source]: '\nf("ERR_SHM_FULL");\n',
    [page]: "# Errors\n",
  });
  assert.deepEqual(problems, [`${source}:2 ERR_SHM_FULL is not described in ${page}`]);
});

test("a code that nobody gives is found on the page", (context) => {
  const problems = problemsOf(context, { [page]: "# Errors\n\n| `ERR_SHM_GONE` | x | y |\n" });
  assert.deepEqual(problems, [`${page}:3 ERR_SHM_GONE is given by no package`]);
});

test("a missing page is found", (context) => {
  assert.deepEqual(problemsOf(context, {}), [`${page}: the page of error codes is missing`]);
});
