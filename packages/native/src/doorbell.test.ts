import assert from "node:assert/strict";
import { test } from "node:test";
import {
  closeFd,
  doorbellClear,
  doorbellPair,
  doorbellRing,
  POLL_IN,
  pollerAdd,
  pollerCreate,
  pollerWait,
} from "./index.ts";

test("a doorbell of two ends is heard at one of them", () => {
  const [listen, ring] = doorbellPair();
  const poller = pollerCreate();
  pollerAdd(poller, listen, 7, POLL_IN);
  const events = new Int32Array(2);
  assert.equal(pollerWait(poller, events, 1, 0), 0);
  assert.equal(doorbellRing(ring), 0);
  assert.equal(doorbellRing(ring), 0);
  assert.equal(pollerWait(poller, events, 1, 0), 1);
  assert.equal(events[0], 7);
  assert.equal(doorbellClear(listen), 1);
  assert.equal(doorbellClear(listen), 0);
  assert.equal(pollerWait(poller, events, 1, 0), 0);
  for (const fd of [poller, listen, ring]) closeFd(fd);
});

test("ringing a doorbell that nobody clears never blocks", () => {
  const [listen, ring] = doorbellPair();
  // More than a pipe holds (64 KiB), eight bytes each.
  for (let i = 0; i < 20_000; i++) assert.equal(doorbellRing(ring), 0);
  closeFd(listen);
  assert.equal(doorbellRing(ring), -32, "EPIPE, and no signal");
  closeFd(ring);
});
