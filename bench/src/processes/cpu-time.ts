/** Processor time of other processes. */
import { readdirSync, readFileSync } from "node:fs";

/**
 * Seconds that the threads a process has now have run, to the nanosecond; null when there is no such
 * process or the kernel does not count (CONFIG_SCHED_INFO).
 */
export function cpuSeconds(pid: number): number | null {
  const folder = `/proc/${pid}/task`;
  let nanoseconds = 0;
  try {
    for (const thread of readdirSync(folder)) {
      nanoseconds += Number(readFileSync(`${folder}/${thread}/schedstat`, "utf8").split(" ")[0]);
    }
  } catch {
    // It has ended, or a thread of it has: there is no figure to be had.
    return null;
  }
  return nanoseconds / 1e9;
}
