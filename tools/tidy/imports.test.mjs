import assert from "node:assert/strict";
import { test } from "node:test";
import { allowedFor, isAllowed } from "./direction.mjs";
import { smallTree, workspace } from "./small-tree.mjs";
import { findProblems } from "./tidy.mjs";

/**
 * @param {import("node:test").TestContext} context
 * @param {Record<string, string>} sources added to three packages: interface, native (on interface), testing
 */
function problemsOf(context, sources) {
  const files = workspace({
    "packages/interface": { name: "@koala/interface" },
    "packages/native": {
      name: "@koala/native",
      dependencies: { "@koala/interface": "1.0.0", zod: "4.0.0" },
      devDependencies: { "@koala/testing": "1.0.0" },
      references: ["packages/interface", "packages/testing"],
    },
    "packages/testing": { name: "@koala/testing" },
  });
  return findProblems(smallTree(context, { ...files, ...sources })).map(
    ({ path, line, message }) => `${path}:${line ?? ""} ${message}`,
  );
}

test("imports of what package.json names are accepted", (context) => {
  const source = [
    'import { join } from "node:path";',
    'import type { Engine } from "@koala/interface";',
    "export {",
    "  z,",
    '} from "zod/v4";',
    'import "./other.ts";',
    'const text = `import x from "anything"`;',
    ' * import { x } from "an-example";',
    "",
  ].join("\n");
  assert.deepEqual(problemsOf(context, { "packages/native/src/a.ts": source }), []);
});

test("imports in all their forms are seen", (context) => {
  const source = [
    'import { a } from "one";',
    'import type {\n  B,\n} from "two";',
    'import "three";',
    'export * from "four";',
    'const five = await import("five/part");',
    'const six = import.meta.resolve("@six/part/main");',
    "",
  ].join("\n");
  const problems = problemsOf(context, { "packages/interface/src/a.ts": source });
  assert.deepEqual(
    problems.map((problem) =>
      /^packages\/interface\/src\/a\.ts:(\d+) "([^"]+)" is not/.exec(problem)?.slice(1),
    ),
    [
      ["1", "one"],
      ["4", "two"],
      ["5", "three"],
      ["6", "four"],
      ["7", "five"],
      ["8", "@six/part"],
    ],
  );
});

test("an import into another package's folder is refused", (context) => {
  const source = 'import { x } from "../../interface/src/index.ts";\n';
  const problems = problemsOf(context, { "packages/native/src/a.ts": source });
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? "", /:1 .* leads out of the package/);
});

test("the testing package is for tests", (context) => {
  const source = 'import { deadline } from "@koala/testing";\n';
  const problems = problemsOf(context, {
    "packages/native/src/a.ts": source,
    "packages/native/src/a.test.ts": source,
  });
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? "", /^packages\/native\/src\/a\.ts:1 packages\/native must not know/);
});

test("what the root offers is for tests", (context) => {
  const source = 'import fc from "fast-check";\n';
  const problems = problemsOf(context, {
    "packages/native/src/a.ts": source,
    "packages/native/src/a.test.ts": source,
    "packages/native/src/a.fuzz.ts": source,
  });
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? "", /a\.ts:1 "fast-check" is not among the dependencies/);
});

test("a dependency against the direction is refused", (context) => {
  const files = workspace({
    "packages/daemon": { name: "@koala/daemon" },
    "packages/client": {
      name: "@koala/mrpc",
      dependencies: { "@koala/daemon": "1.0.0" },
      references: ["packages/daemon"],
    },
  });
  const problems = findProblems(smallTree(context, files));
  assert.equal(problems.length, 1);
  assert.equal(problems[0]?.path, "packages/client/package.json");
  assert.match(problems[0]?.message ?? "", /against the direction/);
});

test("the direction of dependencies is the one that was decided", () => {
  /** @type {[from: string, to: string, allowed: boolean][]} */
  const cases = [
    ["packages/shm", "packages/native", true],
    ["packages/native", "packages/shm", false],
    ["packages/transport-tcp", "packages/shm", true],
    ["packages/transport-rdma", "packages/protocol", false],
    ["packages/transport-tcp", "packages/runtime", false],
    ["packages/client", "packages/runtime", false],
    ["packages/client", "packages/daemon", false],
    ["packages/daemon", "packages/transport-rdma", true],
    ["packages/daemon", "packages/client", false],
    ["packages/ctl", "packages/daemon", false],
    ["packages/runtime", "packages/native", false],
    ["packages/policy-acl", "packages/cel", true],
    ["packages/policy-acl", "packages/daemon", false],
    ["packages/policy-acl", "packages/testing-policy", false],
    ["packages/policy", "packages/cel", false],
    ["tests", "packages/daemon", true],
    ["examples/geo", "packages/testing", true],
  ];
  for (const [from, to, allowed] of cases) {
    assert.equal(isAllowed(from, to, false), allowed, `${from} -> ${to}`);
  }
  assert.deepEqual(allowedFor("packages/brand-new"), []);
});
