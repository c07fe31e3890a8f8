import assert from "node:assert/strict";
import { test } from "node:test";
import { smallTree } from "../tidy/small-tree.mjs";
import { staleReason } from "./install.mjs";

const wanted = {
  "": { version: "1.0.0" },
  "packages/shm": { version: "1.0.0" },
  "node_modules/@koala/shm": { resolved: "packages/shm", link: true },
  "node_modules/zod": { version: "4.0.0", integrity: "sha512-a" },
  "node_modules/biome-darwin": { version: "2.0.0", integrity: "sha512-b", optional: true },
};

const installed = {
  "packages/shm": { version: "1.0.0" },
  "node_modules/@koala/shm": { resolved: "packages/shm", link: true },
  "node_modules/zod": { version: "4.0.0", integrity: "sha512-a" },
};

/**
 * @param {import("node:test").TestContext} context
 * @param {object} packages as npm has recorded them in node_modules
 */
function reasonFor(context, packages) {
  const root = smallTree(context, {
    "package-lock.json": JSON.stringify({ packages: wanted }),
    "node_modules/.package-lock.json": JSON.stringify({ packages }),
    "node_modules/@koala/shm/package.json": "{}",
    "node_modules/zod/package.json": "{}",
    "packages/shm/package.json": "{}",
  });
  return staleReason(root);
}

test("packages as the lock file says are fresh", (context) => {
  assert.equal(reasonFor(context, installed), undefined);
});

test("nothing installed is stale", (context) => {
  const root = smallTree(context, { "package-lock.json": JSON.stringify({ packages: wanted }) });
  assert.equal(staleReason(root), "nothing is installed");
});

test("an install that was cut short is stale", (context) => {
  const root = smallTree(context, {
    "package-lock.json": JSON.stringify({ packages: wanted }),
    "node_modules/.package-lock.json": '{ "packages": {',
  });
  assert.equal(staleReason(root), "nothing is installed");
});

test("a package that is missing, or has another version or checksum, is stale", (context) => {
  const { "node_modules/zod": zod, ...rest } = installed;
  assert.equal(reasonFor(context, rest), "node_modules/zod is missing");
  for (const change of [{ version: "4.0.1" }, { integrity: "sha512-c" }]) {
    const packages = { ...rest, "node_modules/zod": { ...zod, ...change } };
    assert.equal(reasonFor(context, packages), "node_modules/zod is another version");
  }
});

test("a workspace that links elsewhere is stale", (context) => {
  const packages = {
    ...installed,
    "node_modules/@koala/shm": { resolved: "packages/other", link: true },
  };
  assert.equal(reasonFor(context, packages), "node_modules/@koala/shm is another version");
});

test("a folder that somebody removed is stale", (context) => {
  const packages = { ...installed, "node_modules/gone": { version: "1.0.0" } };
  assert.equal(reasonFor(context, packages), "node_modules/gone is gone");
});

test("a repository without a lock file is refused", (context) => {
  const root = smallTree(context, { "node_modules/.package-lock.json": '{ "packages": {} }' });
  assert.throws(() => staleReason(root), /package-lock\.json is missing/);
});
