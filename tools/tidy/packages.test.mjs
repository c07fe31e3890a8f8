import assert from "node:assert/strict";
import { test } from "node:test";
import { smallTree, workspace } from "./small-tree.mjs";
import { findProblems } from "./tidy.mjs";

/**
 * @param {import("node:test").TestContext} context
 * @param {Record<string, string>} files
 */
function problemsOf(context, files) {
  return findProblems(smallTree(context, files)).map(({ path, message }) => `${path}: ${message}`);
}

/** Two packages in order; each test breaks one thing. */
function soundFiles() {
  return workspace({
    "packages/interface": { name: "@koala/interface" },
    "packages/native": {
      name: "@koala/native",
      dependencies: { "@koala/interface": "1.0.0" },
      references: ["packages/interface"],
    },
  });
}

test("packages in order are accepted", (context) => {
  assert.deepEqual(problemsOf(context, soundFiles()), []);
});

test("a package without a README is refused", (context) => {
  const { "packages/native/README.md": _, ...files } = soundFiles();
  assert.match(problemsOf(context, files).join(), /^packages\/native: a package has a README\.md/);
});

test("a dependency without a reference is refused", (context) => {
  const files = { ...soundFiles(), "packages/native/tsconfig.json": "{}\n" };
  const [problem = ""] = problemsOf(context, files);
  assert.match(
    problem,
    /^packages\/native\/tsconfig\.json: add a reference to packages\/interface/,
  );
});

test("a reference without a dependency is refused", (context) => {
  const manifest = JSON.stringify({ name: "@koala/native", version: "1.0.0" });
  const files = { ...soundFiles(), "packages/native/package.json": `${manifest}\n` };
  assert.match(problemsOf(context, files).join(), /refers to packages\/interface, package\.json/);
});

test("a package that the root does not build is refused", (context) => {
  const references = JSON.stringify({ references: [{ path: "packages/interface" }] });
  const files = { ...soundFiles(), "tsconfig.json": `${references}\n` };
  assert.match(
    problemsOf(context, files).join(),
    /^tsconfig\.json: add a reference to packages\/n/,
  );
});

test("versions that differ are refused", (context) => {
  const manifest = JSON.stringify({
    name: "@koala/native",
    version: "1.0.1",
    dependencies: { "@koala/interface": "^1.0.0" },
  });
  const files = { ...soundFiles(), "packages/native/package.json": `${manifest}\n` };
  const problems = problemsOf(context, files);
  assert.equal(problems.length, 2);
  assert.match(problems.join(), /version 1\.0\.1, all packages have 1\.0\.0/);
  assert.match(problems.join(), /@koala\/interface \^1\.0\.0: packages of ours/);
});

test("a lock file that does not know a dependency is refused", (context) => {
  const lock = { packages: { "packages/interface": {}, "packages/native": {} } };
  const files = { ...soundFiles(), "package-lock.json": `${JSON.stringify(lock)}\n` };
  const problems = problemsOf(context, files);
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? "", /out of step with packages\/native\/package\.json \(@koala\/int/);
});
