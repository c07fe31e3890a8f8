import assert from "node:assert/strict";
import { test } from "node:test";
import { Runtime } from "@koala/runtime";
import { openMemory, Spinner } from "@koala/shm";
import { SpareMemory } from "./spare-memory.ts";

/** A runtime whose clock the test moves. */
function createRuntime(): { runtime: Runtime; wait: (ms: number) => void } {
  let micros = 0;
  const runtime = new Runtime({
    waiter: { wait: () => {} },
    spinner: new Spinner({ maxMicros: 0, fixed: true, cores: 1, runnableThreads: () => 1 }),
    nowMicros: () => micros,
    yieldThread: () => {},
    budget: 1,
  });
  return {
    runtime,
    wait: (ms) => {
      micros += ms * 1000;
      runtime.nowMs = micros / 1000;
      runtime.timers.advance(runtime.nowMs);
    },
  };
}

test("memory of one message is given to the next that fits", () => {
  const spare = new SpareMemory(createRuntime().runtime, 4096);
  const memory = openMemory(new ArrayBuffer(1024));
  spare.give(memory);
  assert.equal(spare.take(2048), undefined);
  assert.equal(spare.take(1000), memory);
  assert.equal(spare.take(1000), undefined);
  assert.equal(spare.bytes, 0);
});

test("no more is kept than was said", () => {
  const spare = new SpareMemory(createRuntime().runtime, 4096);
  for (let i = 0; i < 10; i++) spare.give(openMemory(new ArrayBuffer(1024)));
  assert.equal(spare.bytes, 4096);
  spare.give(openMemory(new ArrayBuffer(8192)));
  assert.equal(spare.bytes, 4096);
});

test("what nobody wants for a second is let go, and nothing waits then", () => {
  const { runtime, wait } = createRuntime();
  const spare = new SpareMemory(runtime, 4096);
  spare.give(openMemory(new ArrayBuffer(1024)));
  spare.give(openMemory(new ArrayBuffer(1024)));
  spare.give(spare.take(1)!);
  wait(1100);
  assert.equal(spare.bytes, 2048);
  wait(1100);
  assert.equal(spare.bytes, 0);
  assert.equal(runtime.timers.count, 0);
});
