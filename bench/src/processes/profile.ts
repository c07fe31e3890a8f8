/** Where processes have spent their time, from what `--cpu-prof` writes. */
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

/** What V8 writes; positions count from 0. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A function and the time in it, not in what it calls. */
export interface SelfTime {
  readonly title: string;
  readonly micros: number;
}

const linesMax = 20;
/**
 * Frames in which a thread waits: not a cost of its own. Once the code around it is compiled, the time in
 * `pollerWait` counts as its caller's.
 */
const waiting =
  /^(?:\(idle\)|pollerWait|wait {2}epoll-waiter\.js:\d+|forward {2}floor-ring-forwarder\.js:\d+)$/;

/** A folder for the profiles, which stays: Chrome's DevTools read them. */
export function createProfileFolder(): string {
  return mkdtempSync(join(tmpdir(), "koala-profile-"));
}

/** Functions by their own time, most first. Waiting is left out. */
export function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): SelfTime[] {
  const titles = new Map<number, string>();
  for (const { id, callFrame } of nodes) {
    const { functionName, url, lineNumber } = callFrame;
    const place = url === "" ? "" : `  ${basename(url)}:${lineNumber + 1}`;
    titles.set(id, `${functionName === "" ? "(anonymous)" : functionName}${place}`);
  }
  const micros = new Map<string, number>();
  samples.forEach((id, index) => {
    const title = titles.get(id) ?? "(unknown)";
    // The time after a sample belongs to it.
    micros.set(title, (micros.get(title) ?? 0) + (timeDeltas[index + 1] ?? 0));
  });
  return [...micros]
    .filter(([title]) => !waiting.test(title))
    .map(([title, time]) => ({ title, micros: time }))
    .sort((a, b) => b.micros - a.micros);
}

/** The functions of every process and thread that cost most. */
export function renderProfiles(folder: string): string {
  const parts = readdirSync(folder).flatMap((program) =>
    readdirSync(join(folder, program)).map((file) => {
      const text = readFileSync(join(folder, program, file), "utf8");
      return renderProfile(program, selfTimes(JSON.parse(text) as CpuProfile));
    }),
  );
  return `${parts.join("\n")}\nThe profiles are in ${folder}\n`;
}

function renderProfile(program: string, times: readonly SelfTime[]): string {
  const total = times.reduce((sum, { micros }) => sum + micros, 0);
  const lines = times.slice(0, linesMax).map(({ title, micros }) => {
    const percent = ((100 * micros) / total).toFixed(1).padStart(5);
    return `${percent} % ${(micros / 1000).toFixed(1).padStart(9)} ms  ${title}`;
  });
  return `${program}: ${(total / 1000).toFixed(0)} ms without waiting\n${lines.join("\n")}\n`;
}
