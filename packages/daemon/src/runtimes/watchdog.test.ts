import assert from "node:assert/strict";
import { test } from "node:test";
import { doorbellRing } from "@koala/native";
import { HEARTBEAT_BYTES, HEARTBEAT_HANDLER, Heartbeat, HeartbeatReader } from "@koala/runtime";
import { until } from "@koala/testing";
import { type Stall, Watchdog } from "./watchdog.ts";

const stallMs = 80;

interface Subject {
  readonly index: number;
  readonly heartbeat: HeartbeatReader;
  readonly writer: Heartbeat;
}

function subject(index: number): Subject {
  const page = new SharedArrayBuffer(HEARTBEAT_BYTES);
  const writer = new Heartbeat(page);
  writer.begin(1, 0);
  return { index, heartbeat: new HeartbeatReader(page), writer };
}

interface Stage {
  readonly threads: Subject[];
  readonly stalls: (Stall & { index: number })[];
  readonly recovered: number[];
  readonly watchdog: Watchdog<Subject>;
}

function stage(t: { after(action: () => void): void }, count: number): Stage {
  const threads = Array.from({ length: count }, (_, index) => subject(index));
  const stalls: Stage["stalls"] = [];
  const recovered: number[] = [];
  const watchdog = new Watchdog<Subject>({
    stallMs,
    threads: () => threads,
    onStall: ({ index }, stall) => stalls.push({ ...stall, index }),
    onRecovered: ({ index }) => recovered.push(index),
  });
  for (const { writer } of threads) writer.onDozing = () => doorbellRing(watchdog.doorbell);
  t.after(() => watchdog.close());
  return { threads, stalls, recovered, watchdog };
}

/** Lets a thread do rounds until it is told to stop. */
function keepBusy(t: { after(action: () => void): void }, { writer }: Subject): () => void {
  const timer = setInterval(() => writer.round(performance.now() * 1000, 0), 2);
  const stop = (): void => clearInterval(timer);
  t.after(stop);
  return stop;
}

test("a round that does not end is told once, with the handler that is inside", async (t) => {
  const { threads, stalls, recovered } = stage(t, 2);
  const [busy, stuck] = threads as [Subject, Subject];
  keepBusy(t, busy);
  stuck.writer.round(1, 0);
  stuck.writer.words[HEARTBEAT_HANDLER] = 9;
  await until("the stall", () => stalls.length > 0);
  assert.deepEqual(
    stalls.map(({ index, handler }) => ({ index, handler })),
    [{ index: 1, handler: 9 }],
  );
  assert.ok(stalls[0]!.stalledMs >= stallMs);
  stuck.writer.words[HEARTBEAT_HANDLER] = 0;
  stuck.writer.round(2, 0);
  await until("its end", () => recovered.length > 0);
  assert.deepEqual(recovered, [1]);
  assert.equal(stalls.length, 1);
});

test("a round that does not end without a handler names none", async (t) => {
  const { threads, stalls } = stage(t, 1);
  threads[0]!.writer.round(1, 0);
  await until("the stall", () => stalls.length > 0);
  assert.equal(stalls[0]!.handler, 0);
});

test("it stops looking when all sleep, and is rung by the next round", async (t) => {
  const { threads, stalls, watchdog } = stage(t, 2);
  for (const { writer } of threads) {
    writer.round(1, 0);
    writer.sleep(1);
  }
  await until("it dozes", () => !watchdog.isAwake);
  threads[1]!.writer.round(2, 0);
  await until("it looks again", () => watchdog.isAwake);
  await until("the stall", () => stalls.length > 0);
  assert.equal(stalls[0]!.index, 1);
});

test("who works is not left alone", async (t) => {
  const { threads, stalls, watchdog } = stage(t, 2);
  const [busy, asleep] = threads as [Subject, Subject];
  asleep.writer.round(1, 0);
  asleep.writer.sleep(1);
  const stop = keepBusy(t, busy);
  let looks = 0;
  await until("some looks", () => {
    assert.ok(watchdog.isAwake);
    return ++looks === 40;
  });
  assert.deepEqual(stalls, []);
  stop();
  busy.writer.sleep(1);
  await until("it dozes", () => !watchdog.isAwake);
});

test("time in which this thread stood still, too, does not count", async (t) => {
  const { threads, stalls, watchdog } = stage(t, 1);
  const [thread] = threads as [Subject];
  thread.writer.round(1, 0);
  // As after SIGSTOP: no look took place, however long it was.
  const asleep = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < 3; i++) {
    Atomics.wait(asleep, 0, 0, 3 * stallMs);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.deepEqual(stalls, []);
  }
  thread.writer.round(2, 0);
  thread.writer.sleep(2);
  await until("it dozes", () => !watchdog.isAwake);
  assert.deepEqual(stalls, []);
});
