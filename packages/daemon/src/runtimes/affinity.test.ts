import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Processor } from "@koala/runtime";
import { affinityNotes, processorsFor } from "./affinity.ts";

/** Two cores with two threads each, on two nodes; as Linux numbers them, siblings are not neighbours. */
const hyper: readonly Processor[] = [
  { id: 0, core: 0, node: 0 },
  { id: 1, core: 1, node: 1 },
  { id: 2, core: 0, node: 0 },
  { id: 3, core: 1, node: 1 },
];
const plain: readonly Processor[] = [
  { id: 0, core: 0, node: 0 },
  { id: 1, core: 1, node: 0 },
];

describe("processorsFor", () => {
  const all = (affinity: Parameters<typeof processorsFor>[0], topology = hyper): number[][] =>
    [0, 1, 2, 3, 4].map((index) => processorsFor(affinity, topology, index));

  test("none", () => assert.deepEqual(all("none"), [[], [], [], [], []]));
  test("core: other cores first", () => assert.deepEqual(all("core"), [[0], [1], [2], [3], [0]]));
  test("smt: siblings first", () => assert.deepEqual(all("smt"), [[0], [2], [1], [3], [0]]));
  test("numa: a node after the other", () => {
    const [even, odd] = [
      [0, 2],
      [1, 3],
    ];
    assert.deepEqual(all("numa"), [even, odd, even, odd, even]);
  });
  test("an unknown machine", () => assert.deepEqual(all("core", []), [[], [], [], [], []]));
});

describe("affinityNotes", () => {
  test("says nothing where everything can be had", () => {
    for (const affinity of ["none", "core", "smt", "numa"] as const) {
      assert.deepEqual(affinityNotes(affinity, hyper, 4), []);
    }
  });

  test("says what can't", () => {
    assert.match(affinityNotes("smt", plain, 2).join(), /no two processors .* share a core/);
    assert.match(affinityNotes("numa", plain, 2).join(), /one NUMA node/);
    assert.match(affinityNotes("core", plain, 3).join(), /3 runtimes share 2 processors/);
    assert.match(affinityNotes("core", [], 1).join(), /does not say/);
  });
});
