import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { smallTree } from "../tidy/small-tree.mjs";
import { findTemplates } from "./codegen.mjs";
import { findFuzzers } from "./fuzz.mjs";
import { workspaceFolders } from "./root.mjs";
import { forgetLostOutput } from "./set-up.mjs";
import { compiledOf, findTests } from "./test-files.mjs";

/** @param {import("node:test").TestContext} context */
function repository(context) {
  return smallTree(context, {
    "package.json": JSON.stringify({ workspaces: ["packages/*", "tests", "absent"] }),
    "packages/shm/package.json": "{}",
    "packages/shm/buf.gen.yaml": "",
    "packages/shm/src/ring.ts": "",
    "packages/shm/src/ring.test.ts": "",
    "packages/shm/src/ring.fuzz.ts": "",
    "packages/shm/src/inner/heap.test.ts": "",
    "packages/shm/dist/gone.test.js": "",
    "packages/shm/tsconfig.tsbuildinfo": "",
    "packages/shm-extra/package.json": "{}",
    "packages/shm-extra/src/a.test.ts": "",
    "packages/shm-extra/tsconfig.tsbuildinfo": "",
    "packages/notes/a.test.ts": "",
    "tests/package.json": "{}",
    "tests/src/call.test.ts": "",
    "tools/run/a.test.mjs": "",
    "tools/codegen/node_modules/x/b.test.mjs": "",
  });
}

const heap = "packages/shm/src/inner/heap.test.ts";
const ring = "packages/shm/src/ring.test.ts";

test("workspaces are folders with a package.json", (context) => {
  const folders = ["packages/shm", "packages/shm-extra", "tests"];
  assert.deepEqual(workspaceFolders(repository(context)), folders);
});

test("all tests are those that have a source", (context) => {
  assert.deepEqual(findTests([], { base: repository(context) }), [
    "tools/run/a.test.mjs",
    heap,
    ring,
    "packages/shm-extra/src/a.test.ts",
    "tests/src/call.test.ts",
  ]);
});

test("a path is a package, a folder, a source or a compiled file", (context) => {
  const base = repository(context);
  assert.deepEqual(findTests(["packages/shm"], { base }), [heap, ring]);
  assert.deepEqual(findTests(["packages/shm/"], { base }), [heap, ring]);
  assert.deepEqual(findTests(["packages/shm/dist/inner"], { base }), [heap]);
  assert.deepEqual(findTests(["packages/shm/dist/ring.test.js", heap], { base }), [heap, ring]);
  assert.deepEqual(findTests(["src/ring.test.ts"], { base, cwd: join(base, "packages/shm") }), [
    ring,
  ]);
  assert.equal(findTests(["."], { base }).length, 5);
});

test("a path without tests is refused", (context) => {
  const base = repository(context);
  assert.throws(() => findTests(["packages/sh"], { base }), /no tests at or under "packages\/sh"/);
});

test("compiledOf maps sources to dist and leaves scripts alone", () => {
  assert.equal(compiledOf(heap), "packages/shm/dist/inner/heap.test.js");
  assert.equal(compiledOf("tools/run/a.test.mjs"), "tools/run/a.test.mjs");
});

test("fuzzers are known by name, templates by folder", (context) => {
  const base = repository(context);
  assert.deepEqual([...findFuzzers(base)], [["ring", "packages/shm/src/ring.fuzz.ts"]]);
  assert.deepEqual(findTemplates(base), ["packages/shm"]);
});

test("the compiler's record of output that is gone is forgotten", (context) => {
  const base = repository(context);
  forgetLostOutput(base);
  assert.equal(existsSync(join(base, "packages/shm/tsconfig.tsbuildinfo")), true);
  assert.equal(existsSync(join(base, "packages/shm-extra/tsconfig.tsbuildinfo")), false);
});
