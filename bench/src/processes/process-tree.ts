/** A process and all that it has started: daemons start programs of their own. */
import { readdirSync, readFileSync } from "node:fs";
import { sum } from "../figures/statistics.ts";
import { cpuSeconds } from "./cpu-time.ts";
import { memoryOf } from "./process-memory.ts";

/** Ids of the process and of everything below it. */
export function processTree(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(processTree)];
}

/** Processor seconds of the tree; null when the kernel does not count. */
export function cpuOfTree(pid: number): number | null {
  return sum(processTree(pid).map(cpuSeconds));
}

/** Proportional memory of the tree; null when it can't be read. */
export function memoryOfTree(pid: number): number | null {
  try {
    return processTree(pid).reduce((total, each) => total + memoryOf(each).pssBytes, 0);
  } catch {
    // One has ended, or is somebody else's.
    return null;
  }
}

/** Without CONFIG_PROC_CHILDREN there is no such file, and a process counts alone. */
function childrenOf(pid: number): number[] {
  const folder = `/proc/${pid}/task`;
  try {
    return readdirSync(folder).flatMap((thread) =>
      readFileSync(`${folder}/${thread}/children`, "latin1").split(" ").filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}
