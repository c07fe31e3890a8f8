import assert from "node:assert/strict";
import { test } from "node:test";
import { readWithout, without } from "./without.ts";

const none = { spinning: false, batching: false, bundling: false, gathering: false };

test("nothing is switched off unless it is named", () => {
  assert.deepEqual(without, none);
  assert.deepEqual(readWithout(""), none);
  assert.deepEqual(readWithout(" gathering, spinning,"), {
    ...none,
    spinning: true,
    gathering: true,
  });
});

test("a name that is none is refused, with those that are", () => {
  assert.throws(() => readWithout("spining"), { code: "ERR_SHM_WITHOUT" });
  assert.throws(() => readWithout("toString"), { code: "ERR_SHM_WITHOUT" });
  assert.throws(() => readWithout("toString"), /spinning, batching, bundling, gathering/);
});
