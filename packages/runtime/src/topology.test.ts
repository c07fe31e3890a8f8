import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createTempDirectory } from "@koala/testing";
import { parseCpuList, readTopology, type TopologyPlaces } from "./topology.ts";

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
