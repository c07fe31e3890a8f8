/** How much a piece of code on the hot path allocates. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Runs before counting: compiled code allocates less than interpreted code. */
const warmUps = 5000;
/** The smallest of some measurements: what else the process does only ever adds. */
const attempts = 5;

/**
 * Bytes of JavaScript heap that `times` calls of `run` allocate, after it has been compiled. Keep
 * `times` so small that what is allocated stays below a megabyte, or the collector hides it.
 */
export function bytesAllocatedBy(run: () => void, times: number): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < warmUps; i++) run();
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < attempts; attempt++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < times; i++) run();
    least = Math.min(least, process.memoryUsage().heapUsed - before);
  }
  return Math.max(least, 0);
}
