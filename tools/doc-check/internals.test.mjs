import assert from "node:assert/strict";
import { test } from "node:test";
import { smallTree } from "../tidy/small-tree.mjs";
import { readTree } from "../tidy/tree.mjs";
import { findInternalsProblems } from "./internals.mjs";

/**
 * @param {import("node:test").TestContext} context
 * @param {Record<string, string>} files
 */
function problemsOf(context, files) {
  const { files: tree } = readTree(smallTree(context, files));
  return findInternalsProblems(tree).map(
    ({ path, line, message }) => `${path}:${line ?? ""} ${message}`,
  );
}

test("files that a page names may leave folders out", (context) => {
  const problems = problemsOf(context, {
    "packages/daemon/src/link/link.ts": "export {};\n",
    "docs/internals/LIFE.md":
      "# Life\n\n`link.ts` `link/link.ts` `daemon/src/link/link.ts` `daemon/link/link.ts`\n",
  });
  assert.deepEqual(problems, []);
});

test("a file that is not there is found", (context) => {
  const problems = problemsOf(context, {
    "packages/daemon/src/link/link.ts": "export {};\n",
    "docs/internals/LIFE.md": "# Life\n\nsee `ink.ts` and `datapath/link.ts`\n",
  });
  assert.deepEqual(problems, [
    "docs/internals/LIFE.md:3 ink.ts is not among the sources: it was moved, or the page is wrong",
    "docs/internals/LIFE.md:3 datapath/link.ts is not among the sources: it was moved, or the page is wrong",
  ]);
});

test("a limit without its line is found", (context) => {
  const row = "| key | default |\n|---|---|\n";
  const problems = problemsOf(context, {
    "docs/reference/config.md": `# C\n\n## \`[daemon]\`\n\n${row}| \`name\` | x |\n\n## \`[limits]\`\n\n${row}| \`message\` | 1 |\n| \`apps\` | 2 |\n`,
    "docs/internals/LIMITS.md": "# Limits\n\nNo line: `apps`.\n\n| limit |\n|---|\n| `message` |\n",
  });
  assert.deepEqual(problems, [
    "docs/internals/LIMITS.md: apps of [limits] has no line: say where it is enforced and what happens when it is hit",
  ]);
});
