/** The processes of a run: all that have its name in their environment. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

/** The variable that names the run. */
export const runVariable = "KOALA_EVAL_RUN";

/** New processes may appear as long as there are old ones. */
const looksMax = 100;
const lookMs = 20;

/** Ids of the processes of a run, without this one. */
export function processesOf(run: string): number[] {
  const wanted = `${runVariable}=${run}`;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => isRunning(pid) && environmentOf(pid).includes(wanted))
    .map(Number);
}

/** Ends them at once, and resolves to how many there were when none is left. */
export async function endRun(run: string): Promise<number> {
  const ended = new Set<number>();
  for (let look = 0; look < looksMax; look++) {
    const found = processesOf(run);
    if (found.length === 0) break;
    for (const pid of found) {
      ended.add(pid);
      kill(pid);
    }
    await setTimeout(lookMs);
  }
  return ended.size;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

/** What has ended and waits for its parent has an environment no more, but may be asked for it meanwhile. */
function isRunning(pid: string): boolean {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat !== "" && stat[stat.lastIndexOf(")") + 2] !== "Z";
}

function environmentOf(pid: string): string[] {
  return readIfThere(`/proc/${pid}/environ`).split("\0");
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    // It has ended meanwhile, or is somebody else's.
    return "";
  }
}
