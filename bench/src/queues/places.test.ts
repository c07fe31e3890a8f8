import assert from "node:assert/strict";
import { test } from "node:test";
import { type Machine, placesOf } from "./places.ts";

/** Two nodes of two cores, each of two threads: 0 and 4 share a core. */
const large: Machine = {
  processors: [0, 1, 2, 3, 4, 5, 6, 7],
  coreOf: (cpu) => cpu % 4,
  nodeOf: (cpu) => (cpu % 4 < 2 ? 0 : 1),
};
const small: Machine = { processors: [0], coreOf: () => 0, nodeOf: () => 0 };

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
      const sharesCore = large.coreOf(a!) === large.coreOf(b!);
      assert.equal(sharesCore, affinity === "one" || affinity === "smt");
      if (affinity === "numa") assert.notEqual(large.nodeOf(a!), large.nodeOf(b!));
    }
  }
});

test("what the machine does not have is said", () => {
  assert.match(String(placesOf("core", 1, small)), /one core/);
  assert.match(String(placesOf("smt", 1, small)), /threads of one core/);
  assert.match(String(placesOf("numa", 1, small)), /one NUMA node/);
});
