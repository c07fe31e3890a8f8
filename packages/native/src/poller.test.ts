import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageChannel } from "node:worker_threads";
import {
  closeFd,
  doorbellClear,
  doorbellCreate,
  doorbellRing,
  EBADF,
  EINVAL,
  eventLoopFd,
  monotonicMicros,
  POLL_EDGE,
  POLL_HUP,
  POLL_IN,
  POLL_OUT,
  POLL_RDHUP,
  pollerAdd,
  pollerCreate,
  pollerModify,
  pollerRemove,
  pollerWait,
  SOCKET_STREAM,
  unixPair,
} from "./index.ts";

test("waits report tags and events", () => {
  const poller = pollerCreate();
  const [first, second] = [doorbellCreate(), doorbellCreate()];
  const out = new Int32Array(8);
  pollerAdd(poller, first, -1, POLL_IN);
  pollerAdd(poller, second, 2 ** 31 - 1, POLL_IN);
  assert.equal(pollerWait(poller, out, 4, 0), 0);
  doorbellRing(first);
  doorbellRing(second);
  assert.equal(pollerWait(poller, out, 4, -1), 2);
  assert.deepEqual([out[0], out[2]].sort(), [-1, 2 ** 31 - 1]);
  assert.deepEqual([out[1], out[3]], [POLL_IN, POLL_IN]);
  assert.equal(pollerWait(poller, out, 1, -1), 1);
  pollerRemove(poller, first);
  pollerModify(poller, second, 7, POLL_IN | POLL_EDGE);
  assert.equal(pollerWait(poller, out, 4, 1_000_000), 1);
  assert.equal(out[0], 7);
  assert.equal(pollerWait(poller, out, 4, 0), 0, "an edge is reported once");
  assert.equal(doorbellClear(second), 1);
  for (const fd of [first, second, poller]) closeFd(fd);
});

test("the end of a peer is reported", () => {
  const poller = pollerCreate();
  const [mine, peer] = unixPair(SOCKET_STREAM);
  const out = new Int32Array(2);
  pollerAdd(poller, mine, 1, POLL_OUT | POLL_RDHUP);
  assert.equal(pollerWait(poller, out, 1, 0), 1);
  assert.equal(out[1], POLL_OUT);
  closeFd(peer);
  assert.equal(pollerWait(poller, out, 1, -1), 1);
  assert.equal(out[1], POLL_OUT | POLL_RDHUP | POLL_HUP);
  for (const fd of [mine, poller]) closeFd(fd);
});

test("a wait of microseconds lasts at least as long as asked for", () => {
  const poller = pollerCreate();
  const out = new Int32Array(2);
  for (const micros of [1, 150, 2500]) {
    const start = monotonicMicros();
    assert.equal(pollerWait(poller, out, 1, micros), 0);
    assert.ok(monotonicMicros() - start >= micros);
  }
  closeFd(poller);
});

test("wrong arguments are refused", () => {
  const poller = pollerCreate();
  const out = new Int32Array(4);
  assert.equal(pollerWait(poller, out, 3, 0), -EINVAL);
  assert.equal(pollerWait(poller, out, 0, 0), -EINVAL);
  assert.equal(pollerWait(poller, out, -1, 0), -EINVAL);
  assert.throws(() => pollerWait(poller, new Uint8Array(8) as never, 1, 0), {
    code: "ERR_NATIVE_ARGUMENT",
  });
  assert.throws(() => pollerAdd(poller, -1, 0, POLL_IN), { code: "EBADF", syscall: "epoll_ctl" });
  assert.throws(() => pollerRemove(poller, 0), { code: "ENOENT" });
  closeFd(poller);
  assert.equal(pollerWait(poller, out, 1, 0), -EBADF);
});

test("the event loop's descriptor becomes readable when the loop has work", async () => {
  const poller = pollerCreate();
  const out = new Int32Array(2);
  pollerAdd(poller, eventLoopFd(), 5, POLL_IN);
  const { port1, port2 } = new MessageChannel();
  const received = new Promise<unknown>((resolve) => {
    port1.on("message", resolve);
  });
  await new Promise((resolve) => setImmediate(resolve));
  port2.postMessage("hello");
  assert.equal(pollerWait(poller, out, 1, 10_000_000), 1);
  assert.equal(out[0], 5);
  assert.equal(await received, "hello");
  port1.close();
  closeFd(poller);
});
