import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { smallTree } from "../tidy/small-tree.mjs";
import { findProgram, npmCommand, requireCompilers } from "./toolchain.mjs";

/**
 * A folder with programs of these names, to be a PATH.
 *
 * @param {import("node:test").TestContext} context
 * @param {string[]} names
 */
function programs(context, names) {
  const root = smallTree(context, Object.fromEntries(names.map((name) => [name, "#!/bin/sh\n"])));
  for (const name of names) chmodSync(join(root, name), 0o755);
  return root;
}

test("findProgram looks through PATH in order and skips what cannot be run", (context) => {
  const blocked = smallTree(context, { npm: "text", "gcc/inner": "a folder" });
  const good = programs(context, ["npm"]);
  assert.equal(findProgram("npm", `${blocked}:${good}`), join(good, "npm"));
  assert.equal(findProgram("gcc", `${blocked}:${good}`), undefined);
  assert.equal(findProgram(join(good, "npm"), ""), join(good, "npm"));
});

test("npmCommand prefers the npm that runs", (context) => {
  const root = smallTree(context, { "npm-cli.js": "" });
  const script = join(root, "npm-cli.js");
  assert.deepEqual(npmCommand({ npm_execpath: script }), [process.execPath, script]);
});

test("npmCommand without npm says what to do", () => {
  assert.throws(() => npmCommand({ PATH: "" }), /npm is not in PATH\. It comes with Node/);
});

test("requireCompilers is content with compilers, or with an addon", (context) => {
  requireCompilers({ PATH: programs(context, ["gcc", "g++"]) }, "nowhere");
  requireCompilers({ PATH: programs(context, ["cc"]), CC: "cc -m64", CXX: "cc" }, "nowhere");
  const built = smallTree(context, { "packages/native/build/koala.node": "" });
  requireCompilers({ PATH: "" }, built);
});

test("requireCompilers says what to install or to correct", (context) => {
  const path = programs(context, ["gcc"]);
  assert.throws(() => requireCompilers({ PATH: path }, "nowhere"), /apt-get install g\+\+/);
  assert.throws(
    () => requireCompilers({ PATH: path, CXX: "icpx" }, "nowhere"),
    /CXX names, "icpx", is not in PATH/,
  );
});
