/** What a daemon never sends, and what crosses the end of a call on its way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SlotFlag, SlotKind } from "@koala/protocol";
import { until } from "@koala/testing";
import type { MeshConnection } from "../mesh/mesh.ts";
import { logged } from "../mesh/mesh-helper.test.ts";
import { Gate, type StreamPair, startStreams } from "./stream-helper.test.ts";

const fromCallee = SlotFlag.FROM_CALLEE << 8;

/** A call whose handler has given one message and waits. */
async function startHeld(
  pair: StreamPair,
): Promise<{ iterator: AsyncIterator<unknown>; id: number }> {
  const iterator = pair.client.watch({})[Symbol.asyncIterator]();
  await iterator.next();
  const [id] = [...pair.clientApp.callees.keys()];
  return { iterator, id: id! };
}

async function startWaiting(t: Parameters<typeof startStreams>[0]): Promise<StreamPair> {
  const hold = new Gate();
  t.after(() => hold.open());
  return startStreams(t, {
    async *watch() {
      yield { number: 1 };
      await hold.isOpen;
    },
  });
}

const nonsense: readonly (readonly [string, RegExp, (id: number) => number[]])[] = [
  ["a credit of nothing", /CREDIT of 0 bytes/, (id) => [SlotKind.CREDIT, id, 0, 0]],
  [
    "a credit beyond all bounds",
    /CREDIT of -2147483648 bytes/,
    (id) => [SlotKind.CREDIT | fromCallee, id, 0, -(2 ** 31)],
  ],
  [
    "a message in a region that nobody knows",
    /MESSAGE in an unknown region/,
    (id) => [SlotKind.MESSAGE | fromCallee, id, 0, 8, 77 << 16, 0, 8, 0, 0, 0, 1],
  ],
  [
    "headers in a region that nobody knows",
    /MESSAGE in an unknown region/,
    (id) => [
      SlotKind.MESSAGE | fromCallee | (SlotFlag.HEADERS << 8),
      id,
      0,
      0,
      77 << 16,
      0,
      0,
      0,
      0,
      8,
    ],
  ],
];

for (const [what, reason, slot] of nonsense) {
  test(`${what} ends the connection, and nothing else`, async (t) => {
    const pair = await startWaiting(t);
    const { iterator, id } = await startHeld(pair);
    logged.length = 0;
    pair.clientApp.sendSlot(...slot(id));
    await assert.rejects(iterator.next(), { statusName: "UNAVAILABLE" });
    assert.match(logged.join("\n"), reason);
    await assert.rejects(pair.client.sum([]), { statusName: "UNIMPLEMENTED" });
  });
}

test("messages and credits for calls that have ended are dropped, and their blocks released", async (t) => {
  const pair = await startWaiting(t);
  const { iterator } = await startHeld(pair);
  const { clientApp } = pair;
  const heap = clientApp.receive!;
  const before = clientApp.blocksInUse;
  for (let i = 0; i < 14; i++) {
    heap.allocate(64);
    const flags = i % 2 === 0 ? fromCallee : 0;
    clientApp.sendSlot(SlotKind.MESSAGE | flags, 4711, 0, 8, heap.tag, heap.offset, 8, 0, 0, 0, 1);
    clientApp.sendSlot(SlotKind.CREDIT | flags, 4711, 0, 100);
  }
  const [id] = [...clientApp.callees.keys()];
  heap.allocate(64);
  clientApp.sendSlot(
    ...[SlotKind.MESSAGE | fromCallee, id!, 0, 8, heap.tag, heap.offset, 8, 0, 0, 0, 0],
  );
  await until("the blocks are back", () => clientApp.blocksInUse < before + 7);
  await iterator.return?.();
  assert.deepEqual(pair.daemon.violations, []);
});

test("records that end behind their block end the stream", async (t) => {
  const pair = await startWaiting(t);
  const { iterator, id } = await startHeld(pair);
  const { clientApp } = pair;
  const heap = clientApp.receive!;
  heap.allocate(64);
  heap.memory.i32.fill(0, heap.offset >> 2, (heap.offset >> 2) + 16);
  heap.memory.i32[heap.offset >> 2] = 4096;
  clientApp.sendSlot(
    ...[SlotKind.MESSAGE | fromCallee, id, 0, 64, heap.tag, heap.offset, 64, 0, 0, 0, 2],
  );
  await assert.rejects(iterator.next(), {
    statusName: "INTERNAL",
    message: /ends behind its block/,
  });
  assert.equal((await iterator.next()).done, true);
  await until("the call is cancelled", () => clientApp.cancels.length === 1);
  assert.equal((pair.mesh as MeshConnection).datapath?.ended, false);
});
