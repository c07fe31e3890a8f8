/**
 * The load on a system that has calls: the same code for all of them, so that only the system differs.
 * `inFlight` loops, each of which awaits its call before it makes the next.
 */

import type { Samples } from "../figures/samples.ts";
import type { Round, RunCommand } from "./load-command.ts";
import { runOpenLoad } from "./open-load.ts";

/** Makes one call and checks its reply. */
export type Call = () => Promise<void>;

/** From so many in flight on only one of the loops looks at the clock: it would cost percents of the rate. */
const timedInFlightMax = 32;

/**
 * Calls until the time is over. Calls that are under way then are waited for and do not count, unless the
 * system is so slow that there were no others.
 */
export async function runCalls(call: Call, command: RunCommand, samples: Samples): Promise<Round> {
  const { inFlight, seconds, rate = 0 } = command;
  if (rate > 0) return runOpenLoad(call, command, samples);
  let running = true;
  let calls = 0;
  let elapsedMs = 0;
  const timed = async (): Promise<void> => {
    let before = performance.now();
    while (running) {
      await call();
      const after = performance.now();
      samples.add((after - before) * 1000);
      before = after;
      if (running) calls++;
    }
  };
  const untimed = async (): Promise<void> => {
    while (running) {
      await call();
      if (running) calls++;
    }
  };
  const start = performance.now();
  const timer = setTimeout(() => {
    elapsedMs = performance.now() - start;
    running = false;
  }, seconds * 1000);
  try {
    await Promise.all(
      Array.from({ length: inFlight }, (_, index) =>
        index === 0 || inFlight <= timedInFlightMax ? timed() : untimed(),
      ),
    );
  } finally {
    // A call that failed ends the round before its time.
    running = false;
    clearTimeout(timer);
  }
  if (calls > 0) return { calls, seconds: elapsedMs / 1000 };
  return { calls: inFlight, seconds: (performance.now() - start) / 1000 };
}
