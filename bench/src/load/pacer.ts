/** A thread that rings a doorbell whenever a call of an open loop is due. */
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { doorbellRing } from "@koala/native";
import { poissonArrivals } from "./arrivals.ts";

/** What the thread gets. */
export interface PacerSettings {
  readonly bell: number;
  readonly rate: number;
  readonly seed: number;
  readonly seconds: number;
}

const { bell, rate, seed, seconds } = workerData as PacerSettings;
const arrivals = poissonArrivals(rate, seed);
const never = new Int32Array(new SharedArrayBuffer(4));

parentPort!.postMessage("ready");
/** Of the round, since 1970: threads count from different moments. */
const [startMs] = (await once(parentPort!, "message")) as [number];

for (let due = arrivals(); due < seconds * 1000; due = arrivals()) {
  const waitMs = startMs + due - (performance.timeOrigin + performance.now());
  if (waitMs > 0) Atomics.wait(never, 0, 0, waitMs);
  doorbellRing(bell);
}
const restMs = startMs + seconds * 1000 - (performance.timeOrigin + performance.now());
if (restMs > 0) Atomics.wait(never, 0, 0, restMs);
