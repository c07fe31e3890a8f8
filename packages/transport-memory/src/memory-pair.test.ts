// The worker thread of these tests runs this file, too.
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { KoalaError, type Span } from "@koala/interface";
import { closeFd, POLL_IN, pollerAdd, pollerCreate, pollerWait } from "@koala/native";
import { countDescriptors, FdWaiter, PatternReceiver, PatternSender, Prng } from "@koala/testing";
import { openMemoryEnd } from "./memory-connection.ts";
import { createMemoryPair, type MemoryEnd } from "./memory-pair.ts";

const cuts = { spansMax: 8, bytesMax: 3000 };
const streamBytes = 8 * 1024 * 1024;

/** Sends and receives the pattern at the same time, blocking the thread in between. */
function exchange(end: MemoryEnd, seed: number): void {
  const connection = openMemoryEnd(end);
  const waiter = new FdWaiter();
  waiter.add(connection.fd);
  const prng = new Prng(seed);
  const sender = new PatternSender(connection, prng, cuts);
  const receiver = new PatternReceiver(connection, prng, cuts);
  waiter.until("both directions are through", () => {
    sender.pump(streamBytes);
    receiver.pump();
    return receiver.position === streamBytes && sender.position === streamBytes;
  });
  waiter.close();
  // The other end may still read what it was sent; closing does not take that away.
  connection.close();
}

function span(bytes: number): Span {
  return { buffer: new ArrayBuffer(bytes), offset: 0, length: bytes };
}

/** Whether a poller that looks at states finds the descriptor readable. */
function isReadable(fd: number): boolean {
  const poller = pollerCreate();
  pollerAdd(poller, fd, 1, POLL_IN);
  const count = pollerWait(poller, new Int32Array(2), 1, 0);
  closeFd(poller);
  return count === 1;
}

function register(): void {
  describe("createMemoryPair", () => {
    it("connects two threads", async () => {
      const before = countDescriptors();
      const { a, b } = createMemoryPair({ bytes: 8192 });
      const worker = new Worker(fileURLToPath(import.meta.url), { workerData: b });
      const exit = once(worker, "exit");
      exchange(a, 1);
      assert.deepEqual(await exit, [0]);
      assert.ok(countDescriptors() <= before + 1, "all doorbells are closed");
    });

    it("refuses sizes that are no power of two", () => {
      for (const bytes of [0, 4095, 5000, 2 ** 31]) {
        assert.throws(
          () => createMemoryPair({ bytes }),
          (error: unknown) => error instanceof KoalaError && error.code === "ERR_MEMORY_BYTES",
        );
      }
    });
  });

  describe("MemoryConnection doorbell", () => {
    it("is silent while there is nothing to do", () => {
      const pair = createMemoryPair();
      const a = openMemoryEnd(pair.a);
      const b = openMemoryEnd(pair.b);
      assert.equal(b.receive([span(8)], 1), 0);
      assert.ok(!isReadable(b.fd));
      assert.equal(a.send([span(8)], 1), 8);
      assert.ok(isReadable(b.fd), "rung for data");
      assert.equal(a.send([span(8)], 1), 8);
      assert.equal(b.receive([span(64)], 1), 16);
      assert.equal(b.receive([span(64)], 1), 0);
      assert.ok(!isReadable(b.fd), "cleared when nothing is left");
      a.close();
      assert.ok(isReadable(b.fd), "rung for the end");
      b.close();
    });

    it("still speaks for a sender after a receive has cleared it", () => {
      const pair = createMemoryPair({ bytes: 4096 });
      const a = openMemoryEnd(pair.a);
      const b = openMemoryEnd(pair.b);
      assert.equal(a.send([span(5000)], 1), 4096);
      assert.equal(a.send([span(8)], 1), 0);
      assert.equal(a.receive([span(8)], 1), 0);
      assert.equal(b.receive([span(1000)], 1), 1000);
      assert.ok(isReadable(a.fd), "rung for room");
      assert.equal(a.receive([span(8)], 1), 0);
      assert.ok(isReadable(a.fd), "the room has not been used yet");
      assert.equal(a.send([span(8)], 1), 8);
      assert.equal(a.receive([span(8)], 1), 0);
      assert.ok(!isReadable(a.fd), "and now it has");
      a.close();
      b.close();
    });

    it("does not ring for ever for a sender that has given up", () => {
      const pair = createMemoryPair({ bytes: 4096 });
      const a = openMemoryEnd(pair.a);
      const b = openMemoryEnd(pair.b);
      assert.equal(a.send([span(4096)], 1), 4096);
      assert.equal(a.send([span(8)], 1), 0);
      assert.equal(b.receive([span(4096)], 1), 4096);
      for (let i = 0; i < 3; i++) assert.equal(a.receive([span(8)], 1), 0);
      assert.ok(!isReadable(a.fd));
      a.close();
      b.close();
    });
  });
}

if (isMainThread) register();
else exchange(workerData as MemoryEnd, 2);
