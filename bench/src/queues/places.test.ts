import assert from "node:assert/strict";
import { test } from "node:test";
import type { Processor } from "@koala/runtime";
import { placesOf } from "./places.ts";

/** Two nodes of two cores, each of two threads: 0 and 4 share a core. */
const large: readonly Processor[] = [0, 1, 2, 3, 4, 5, 6, 7].map((id) => ({
  id,
  core: id % 4,
  node: id % 4 < 2 ? 0 : 1,
}));
const small: readonly Processor[] = [{ id: 0, core: 0, node: 0 }];

test("threads are tied to what the affinity says", () => {
  assert.deepEqual(placesOf("none", 2, large), [
    [[], []],
    [[], []],
  ]);
  for (const affinity of ["one", "core", "smt", "numa"] as const) {
    const places = placesOf(affinity, 3, large);
    assert.ok(Array.isArray(places), affinity);
    assert.equal(places.length, 3);
    for (const [[a], [b]] of places) {
      assert.equal(a === b, affinity === "one");
      const sharesCore = large[a!]!.core === large[b!]!.core;
      assert.equal(sharesCore, affinity === "one" || affinity === "smt");
      if (affinity === "numa") assert.notEqual(large[a!]!.node, large[b!]!.node);
    }
  }
});

test("what the machine does not have is said", () => {
  assert.match(String(placesOf("core", 1, small)), /one core/);
  assert.match(String(placesOf("smt", 1, small)), /threads of one core/);
  assert.match(String(placesOf("numa", 1, small)), /one NUMA node/);
});
