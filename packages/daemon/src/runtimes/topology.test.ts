import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { createTempDirectory } from "@koala/testing";
import { affinityNotes, processorsFor } from "./affinity.ts";
import { type Processor, parseCpuList, readTopology, type TopologyPlaces } from "./topology.ts";

test("lists of processors", () => {
  assert.deepEqual(parseCpuList("0-3,8,10-11\n"), [0, 1, 2, 3, 8, 10, 11]);
  assert.deepEqual(parseCpuList("5"), [5]);
  assert.deepEqual(parseCpuList(""), []);
  assert.deepEqual(parseCpuList("x,2,3-x"), [2]);
});

/** A machine as its kernel would describe it. */
function machine(
  t: { after(action: () => void): void },
  options: { siblings: readonly string[]; nodes: readonly string[]; allowed: string },
): TopologyPlaces {
  const folder = createTempDirectory(t);
  for (const [cpu, siblings] of options.siblings.entries()) {
    mkdirSync(join(folder, `cpu/cpu${cpu}/topology`), { recursive: true });
    writeFileSync(join(folder, `cpu/cpu${cpu}/topology/thread_siblings_list`), `${siblings}\n`);
  }
  for (const [node, cpus] of options.nodes.entries()) {
    mkdirSync(join(folder, `node/node${node}`), { recursive: true });
    writeFileSync(join(folder, `node/node${node}/cpulist`), `${cpus}\n`);
  }
  writeFileSync(join(folder, "status"), `Name:\tx\nCpus_allowed_list:\t${options.allowed}\n`);
  return {
    cpus: join(folder, "cpu"),
    nodes: join(folder, "node"),
    status: join(folder, "status"),
  };
}

test("a machine with siblings and nodes, of which the process may use a part", (t) => {
  const places = machine(t, {
    siblings: ["0,2", "1,3", "0,2", "1,3"],
    nodes: ["0,2", "1,3"],
    allowed: "0-2",
  });
  assert.deepEqual(readTopology(places), [
    { id: 0, core: 0, node: 0 },
    { id: 1, core: 1, node: 1 },
    { id: 2, core: 0, node: 0 },
  ]);
});

test("a kernel that says nothing but what may be used", (t) => {
  const places = machine(t, { siblings: [], nodes: [], allowed: "3,5" });
  assert.deepEqual(readTopology(places), [
    { id: 3, core: 3, node: 0 },
    { id: 5, core: 5, node: 0 },
  ]);
});

test("this machine", () => {
  const topology = readTopology();
  assert.ok(topology.length >= 1);
  for (const { id, core } of topology) assert.ok(core <= id);
});

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
