import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as constants from "./constants.ts";
import * as index from "./index.ts";
import { native } from "./native.ts";

const source = fileURLToPath(new URL("../src/binding.ts", import.meta.url));

test("the constants are those of this machine's headers", () => {
  assert.deepEqual({ ...constants }, native.constants);
});

test("binding.ts declares what the addon exports, in its order", () => {
  const declared = [...readFileSync(source, "utf8").matchAll(/^ {2}(\w+)\(/gm)].map(
    ([, name]) => name,
  );
  const exported = Object.keys(native).filter((name) => name !== "abi" && name !== "constants");
  assert.deepEqual(declared, exported);
});

test("every native function is exported, unwrapped unless it takes options", () => {
  const exports = index as unknown as Record<string, unknown>;
  const functions = native as unknown as Record<string, unknown>;
  for (const name of Object.keys(functions)) {
    if (name === "abi" || name === "constants") continue;
    assert.equal(typeof exports[name], "function", name);
    if (name === "watch" || name === "tcpTune") continue;
    assert.equal(exports[name], functions[name], name);
  }
});
