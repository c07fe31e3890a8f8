/** Waiting for a state without sleeping blindly. */
import { setTimeout } from "node:timers/promises";

/** How long tests wait for what should take milliseconds, on a machine that may be busy. */
export const deadlineMsDefault = 20_000;

const pauseMs = 5;

/** Resolves once `condition` holds; rejects after the deadline with `what` did not happen. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  deadlineMs: number = deadlineMsDefault,
): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() >= end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await setTimeout(pauseMs);
  }
}
