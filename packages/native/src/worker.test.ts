import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import {
  closeFd,
  doorbellClear,
  doorbellCreate,
  doorbellRing,
  POLL_IN,
  regionCreate,
  regionMap,
  regionUnmap,
  unwatch,
  watch,
} from "./index.ts";

const indexUrl = new URL("./index.js", import.meta.url).href;
const bytes = 64 * 1024;

/** A worker that runs `body` with the package as `native` and says "ready" when it wants to. */
function startWorker(body: string, workerData: unknown): Worker {
  const source = `
    const { parentPort, workerData } = require("node:worker_threads");
    import(${JSON.stringify(indexUrl)}).then((native) => { ${body} });
  `;
  return new Worker(source, { eval: true, workerData });
}

async function message(worker: Worker): Promise<unknown> {
  const [value] = await once(worker, "message", { signal: AbortSignal.timeout(10_000) });
  return value;
}

function openFds(): number {
  return readdirSync("/proc/self/fd").length;
}

function mappingCount(name: string): number {
  const lines = readFileSync("/proc/self/maps", "utf8").split("\n");
  return lines.filter((line) => line.includes(`/memfd:${name} `)).length;
}

test("threads map the same region and wake each other", async () => {
  const region = regionCreate("worker-share", bytes);
  const buffer = regionMap(region, bytes, true);
  const [toWorker, toMain] = [doorbellCreate(), doorbellCreate()];
  const worker = startWorker(
    `
    const { region, bytes, toWorker, toMain } = workerData;
    const cells = new Int32Array(native.regionMap(region, bytes, true));
    const handle = native.watch(toWorker, native.POLL_IN, () => {
      Atomics.add(cells, 0, 1);
      native.doorbellRing(toMain);
      if (Atomics.load(cells, 0) === 100) {
        native.unwatch(handle);
        native.regionUnmap(cells.buffer);
      }
    }, { clear: true });
    parentPort.postMessage("ready");
    `,
    { region, bytes, toWorker, toMain },
  );
  const ended = once(worker, "exit");
  await message(worker);
  const cells = new Int32Array(buffer);
  await new Promise<void>((resolve) => {
    const handle = watch(
      toMain,
      POLL_IN,
      () => {
        if (Atomics.load(cells, 0) < 100) return void doorbellRing(toWorker);
        unwatch(handle);
        resolve();
      },
      { clear: true },
    );
    doorbellRing(toWorker);
  });
  assert.deepEqual(await ended, [0]);
  assert.equal(cells[0], 100);
  regionUnmap(buffer);
  for (const fd of [region, toWorker, toMain]) closeFd(fd);
});

test("a worker that blocks in a poller notices its end through the event loop's descriptor", async () => {
  const worker = startWorker(
    `
    const poller = native.pollerCreate();
    native.pollerAdd(poller, native.eventLoopFd(), 1, native.POLL_IN);
    parentPort.postMessage("ready");
    const out = new Int32Array(2);
    const turn = () => { native.pollerWait(poller, out, 1, -1); setImmediate(turn); };
    turn();
    `,
    null,
  );
  await message(worker);
  await worker.terminate();
});

test("threads that end leave no watcher, mapping or descriptor of the addon behind", async () => {
  const region = regionCreate("worker-left", bytes);
  const bell = doorbellCreate();
  const round = async (body: string): Promise<void> => {
    const worker = startWorker(
      `
      globalThis.kept = [];
      for (let i = 0; i < 5; i++) kept.push(native.regionMap(workerData.region, 65536, i % 2 === 0));
      native.regionUnmap(kept[2]);
      const watched = native.watch(workerData.bell, native.POLL_IN, () => {}, { ref: true });
      parentPort.postMessage("ready");
      ${body}
      `,
      { region, bell },
    );
    const ended = new Promise((resolve) => worker.on("exit", resolve));
    worker.on("error", () => {});
    // A thread that ends by itself may be gone before its message is read; it has mapped and watched then.
    await Promise.race([new Promise((resolve) => worker.once("message", resolve)), ended]);
    await worker.terminate();
    await ended;
  };
  const ways = [
    "", // ended while the loop waits
    "for (;;);", // ended while JavaScript runs
    "setImmediate(() => process.exit(0));", // ends itself, once the message is on its way
    "throw new Error('expected');", // ends by an error
  ];
  await round("");
  const before = openFds();
  for (let i = 0; i < 3; i++) {
    for (const way of ways) await round(way);
  }
  assert.equal(mappingCount("worker-left"), 0);
  assert.equal(openFds(), before);
  // The doorbell is still the main thread's, and works.
  doorbellRing(bell);
  assert.equal(doorbellClear(bell), 1);
  for (const fd of [region, bell]) closeFd(fd);
});

test("what a callback throws in a worker is the worker's error", async () => {
  const bell = doorbellCreate();
  const worker = startWorker(
    `native.watch(workerData, native.POLL_IN, () => { throw new Error("from the callback"); });
     native.doorbellRing(workerData);`,
    bell,
  );
  // Both at once: the exit may follow the error before a continuation runs.
  const exited = once(worker, "exit", { signal: AbortSignal.timeout(10_000) }).catch(() => {});
  const [error] = await once(worker, "error", { signal: AbortSignal.timeout(10_000) });
  assert.equal((error as Error).message, "from the callback");
  await exited;
  closeFd(bell);
});

test("many workers start and end at once while callbacks run", async () => {
  const bell = doorbellCreate();
  doorbellRing(bell);
  const rounds = Array.from({ length: 6 }, async () => {
    const worker = startWorker(
      `let calls = 0;
       native.watch(workerData, native.POLL_IN, () => { if (++calls === 10) parentPort.postMessage("ready"); });`,
      bell,
    );
    await message(worker);
    await worker.terminate();
  });
  await Promise.all(rounds);
  closeFd(bell);
});

test("a thread that is terminated closes the descriptors that its watchers own", async () => {
  const before = openFds();
  const worker = startWorker(
    `const bells = [native.doorbellCreate(), native.doorbellCreate()];
     native.watch(bells[0], native.POLL_IN, () => {}, { owned: bells });
     const gone = native.doorbellCreate();
     native.unwatch(native.watch(gone, native.POLL_IN, () => {}, { owned: [gone] }));
     native.closeFd(gone);
     parentPort.postMessage("ready");`,
    null,
  );
  assert.equal(await message(worker), "ready");
  await worker.terminate();
  assert.equal(openFds(), before);
});
