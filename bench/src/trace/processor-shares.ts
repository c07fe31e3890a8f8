/** How the kernel divides a process's time between its own code and system calls. */
import { readFileSync } from "node:fs";

/** Seconds, in hundredths: the kernel says no more. */
export interface ProcessorShares {
  readonly user: number;
  readonly system: number;
}

const ticksPerSecond = 100;

/** Of all threads since the start; undefined when there is no such process. */
export function processorShares(pid: number): ProcessorShares | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name may have spaces; the fields behind it begin with the third one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      user: Number(fields[11]) / ticksPerSecond,
      system: Number(fields[12]) / ticksPerSecond,
    };
  } catch {
    return undefined;
  }
}
