import assert from "node:assert/strict";
import { test } from "node:test";
import {
  HEARTBEAT_BYTES,
  HEARTBEAT_HANDLER,
  Heartbeat,
  HeartbeatReader,
  Phase,
} from "./heartbeat.ts";

const second = 1_000_000;
const start = 5 * second;

function pair(): { writer: Heartbeat; reader: HeartbeatReader } {
  const page = new SharedArrayBuffer(HEARTBEAT_BYTES);
  const writer = new Heartbeat(page);
  writer.begin(start, 42);
  return { writer, reader: new HeartbeatReader(page) };
}

/** Rounds of 100 µs, of which each has waited so long before it, until `end`. */
function work(writer: Heartbeat, from: number, end: number, waited: number): void {
  for (let now = from; now < end; now += 100) writer.round(now, waited);
}

test("a reader sees phase, round and handler", () => {
  const { writer, reader } = pair();
  assert.deepEqual(reader.sample(), { phase: Phase.NEW, round: 0, handler: 0 });
  assert.equal(reader.thread, 42);
  writer.round(start, 0);
  writer.words[HEARTBEAT_HANDLER] = 7;
  assert.deepEqual(reader.sample(), { phase: Phase.WORKING, round: 1, handler: 7 });
  writer.words[HEARTBEAT_HANDLER] = 0;
  writer.sleep(start + 10);
  assert.deepEqual(reader.sample(), { phase: Phase.SLEEPING, round: 1, handler: 0 });
  writer.turn();
  assert.equal(reader.sample().phase, Phase.TURNING);
});

test("load is the share of time without waiting", () => {
  const { writer, reader } = pair();
  work(writer, start, start + 3 * second, 75);
  const { load, rounds, windowMicros } = reader.rates(start + 3 * second);
  assert.ok(Math.abs(load - 0.25) < 0.01, `${load}`);
  assert.ok(Math.abs(rounds - 10_000) < 100, `${rounds}`);
  assert.ok(windowMicros >= second && windowMicros <= 2 * second + 200, `${windowMicros}`);
});

test("whoever has slept for a second has no load, and is not asked for it", () => {
  const { writer, reader } = pair();
  work(writer, start, start + 2 * second, 0);
  assert.equal(reader.rates(start + 2 * second).load, 1);
  writer.sleep(start + 2 * second);
  const half = reader.rates(start + 2.5 * second).load;
  assert.ok(half < 1 && half > 0.5, `${half}`);
  const { load, rounds, sleeps } = reader.rates(start + 3 * second);
  assert.deepEqual({ load, rounds, sleeps }, { load: 0, rounds: 0, sleeps: 0 });
});

test("work after a long sleep is not measured against the sleep", () => {
  const { writer, reader } = pair();
  work(writer, start, start + second, 0);
  writer.sleep(start + second);
  const awake = start + 100 * second;
  writer.round(awake, 99 * second);
  work(writer, awake + 100, awake + second, 0);
  const { load, windowMicros } = reader.rates(awake + second);
  assert.ok(windowMicros <= 2 * second + 200, `${windowMicros}`);
  assert.ok(Math.abs(load - 0.5) < 0.02, `${load}`);
});

test("sleeps and wake-ups are told apart", () => {
  const { writer, reader } = pair();
  for (let i = 0; i < 4; i++) {
    writer.round(start + i * 100, 0);
    writer.sleep(start + i * 100 + 50);
    if (i % 2 === 0) writer.wakeup();
  }
  assert.deepEqual(reader.counters(), { rounds: 4, sleeps: 4, wakeups: 2, spins: 0, spinHits: 0 });
});

test("whoever stops looking is rung once, at the next round", () => {
  const { writer, reader } = pair();
  let rings = 0;
  writer.onDozing = () => rings++;
  writer.round(start, 0);
  assert.equal(rings, 0);
  reader.doze();
  writer.round(start + 100, 0);
  writer.round(start + 200, 0);
  assert.equal(rings, 1);
});
