import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { until } from "@koala/testing";
import type { MeshConnection } from "../mesh/mesh.ts";
import { logged, startEcho } from "../mesh/mesh-helper.test.ts";
import { release } from "./view-lease.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test("a view that nobody holds any more gives its block back", async (t) => {
  const { client, daemon } = await startEcho(t);
  const app = daemon.apps.find((found) => found.name === "client")!;
  await (async () => {
    const body = new Uint8Array(100_000);
    for (let i = 0; i < 5; i++) await client.say({ body }, { view: true });
  })();
  assert.ok(app.blocksInUse >= 5);
  await until("the blocks come back", () => {
    collectGarbage();
    return app.blocksInUse === 0;
  });
  assert.deepEqual(daemon.violations, []);
  const reports = logged.filter((line) => /^warn: .*echo\.v1\.Echo\/Say was collected/.test(line));
  assert.equal(reports.length, 1, "said once, however many they are");
});

test("views that are released are not reported", async (t) => {
  const { client } = await startEcho(t);
  const before = logged.length;
  await (async () => {
    for (let i = 0; i < 5; i++) release(await client.say({ text: "x" }, { view: true }));
  })();
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(logged.slice(before), []);
});

test("bytes that were taken and never sent come back", async (t) => {
  const { mesh, client } = await startEcho(t);
  const { heap } = (mesh as MeshConnection).datapath!.send;
  await client.say({});
  (() => {
    for (let i = 0; i < 5; i++) mesh.bytes(50_000);
  })();
  assert.equal(heap.usage().blocks, 5);
  await until("the blocks come back", () => {
    collectGarbage();
    return heap.usage().blocks === 0;
  });
});

test("calls leave nothing behind", async (t) => {
  const { client } = await startEcho(t);
  const burst = async (): Promise<void> => {
    for (let i = 0; i < 30; i++) {
      await Promise.all(Array.from({ length: 100 }, () => client.say({ text: "x" })));
    }
  };
  // Compiled code and pools grow at first; a leak goes on for ever.
  let before = 0;
  let growth = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 20 && growth > 20_000; round++) {
    await burst();
    collectGarbage();
    const after = process.memoryUsage().heapUsed;
    growth = after - before;
    before = after;
  }
  assert.ok(growth <= 20_000, `3000 calls still leave ${growth} bytes`);
});
