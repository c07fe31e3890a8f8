/** What a daemon can be changed by while it serves, and how a client's view of a change is taken. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { askAdmin, postAdmin } from "@koala/ctl";
import { KoalaError } from "@koala/interface";
import type { ChangeAnswer } from "@koala/protocol";
import { longestGap, longestLatency, type Watched } from "../load/timeline.ts";
import type { Program } from "../processes/program.ts";
import type { Stage } from "../processes/stage.ts";
import { type Host, startHost } from "../systems/koala.ts";

/** For how long the client watches before a change begins, and after it has ended. */
const quietMs = 150;
/** What a change may have to do with after it has been answered. */
const afterMs = 20;

export interface Change {
  readonly name: string;
  /** How often; daemons take seconds to start. */
  readonly times: number;
  /** For how long the client watches. */
  readonly seconds: number;
  /** Makes the change; resolves with how long calls stood still, in microseconds, as the daemon says. */
  make(place: Place): Promise<number>;
}

/** Where changes are made: the daemon's folder, and that of the policy whose code changes. */
export interface Place {
  readonly prefix: string;
  readonly policyFile: string;
}

function pauseOf({ runtimes }: ChangeAnswer): number {
  return Math.max(0, ...runtimes.map(({ pauseMicros }) => pauseMicros));
}

async function attach({ prefix }: Place): Promise<number> {
  const policy = { name: "change", use: "null" };
  return pauseOf(await postAdmin(prefix, "/v1/policies/attach", { policy }));
}

/** The daemon's main thread has something to do, and nothing changes. */
async function ask({ prefix }: Place): Promise<number> {
  await askAdmin(prefix, "/v1/status");
  return 0;
}

async function detach({ prefix }: Place): Promise<number> {
  return pauseOf(await postAdmin(prefix, "/v1/policies/detach", { name: "change" }));
}

/** Version N of a policy that counts calls; it takes over the count of the version before. */
function writePolicy(file: string, version: number): void {
  writeFileSync(
    file,
    `import { definePolicy, z } from "@koala/policy";

export default definePolicy<{ step: number }, { seen: number }>({
  name: "counter",
  version: "${version}.0.0",
  config: z.strictObject({ step: z.number().default(1) }),
  start: () => ({ seen: 0 }),
  onRequest(_call, ctx) {
    ctx.state.seen += ctx.config.step;
  },
  export: (ctx) => ctx.state,
  import: (saved) => saved as { seen: number },
});
`,
  );
}

let policyVersion = 1;
let step = 1;

async function reconfigure({ prefix }: Place): Promise<number> {
  const merge = { step: ++step };
  return pauseOf(await postAdmin(prefix, "/v1/policies/set", { name: "counter", merge }));
}

async function upgradePolicy({ prefix, policyFile }: Place): Promise<number> {
  writePolicy(policyFile, ++policyVersion);
  return pauseOf(await postAdmin(prefix, "/v1/upgrade", { module: "counter" }));
}

/** All of them. */
export const changes: readonly Change[] = [
  { name: "nothing", times: 20, seconds: 0.4, make: async () => 0 },
  { name: "ask", times: 20, seconds: 0.4, make: ask },
  { name: "attach", times: 20, seconds: 0.4, make: attach },
  { name: "detach", times: 20, seconds: 0.4, make: detach },
  { name: "reconfigure", times: 20, seconds: 0.4, make: reconfigure },
  {
    name: "upgrade-policy",
    times: 20,
    seconds: 0.4,
    make: upgradePolicy,
  },
  {
    name: "upgrade-engine",
    times: 20,
    seconds: 0.6,
    make: async ({ prefix }) =>
      pauseOf(await postAdmin(prefix, "/v1/upgrade", { module: "frontend" })),
  },
  {
    name: "upgrade-daemon",
    times: 5,
    seconds: 6,
    make: async ({ prefix }) => {
      const { pauseMs, failed } = await postAdmin(prefix, "/v1/upgrade/daemon", {});
      if (failed > 0) throw new KoalaError("ERR_BENCH_REPLY", `${failed} calls were lost`);
      return pauseMs * 1000;
    },
  },
];

/** Starts a daemon that all changes can be made in: one policy is there all the time, to be upgraded. */
export async function startChangingHost(
  stage: Stage,
  name: string,
  peers: readonly Host[] = [],
): Promise<Host & Place> {
  const policies = stage.folder(`${name.replaceAll(" ", "-")}-policies`);
  const policyFile = join(policies, "counter.ts");
  writePolicy(policyFile, policyVersion);
  const settings = `[modules]\ndirectories = ["${policies}"]\n\n[[policy]]\nuse = "counter"\n`;
  const host = await startHost(stage, name, peers, settings);
  stage.beforeClose(() => endSuccessor(host));
  return { ...host, policyFile };
}

/** One change as clients saw it; times in milliseconds. */
export interface SeenChange {
  readonly watched: Watched;
  /** Between two replies, around the change. */
  readonly gapMs: number;
  /** For which calls stood still, as the daemon says. */
  readonly pauseMs: number;
  /** From the request for the change to its answer. */
  readonly tookMs: number;
  /** When it was asked for, since the client began to watch. */
  readonly atMs: number;
  readonly failed: number;
  /** Of the client that calls at a pace: its longest latency around the change. */
  readonly latencyMs: number | null;
}

/** How a change is seen. */
export interface Viewers {
  /** Calls all the time. */
  readonly client: Program;
  /** Calls at a pace. */
  readonly paced?: Program;
  readonly seconds: number;
  readonly stepMs: number;
}

/** Lets clients watch while something is done. `make` resolves to the pause in microseconds. */
export async function seeChange(
  { client, paced, seconds, stepMs }: Viewers,
  make: () => Promise<number>,
): Promise<SeenChange> {
  const [seen, seenPaced] = await Promise.all([
    client.watch(seconds, stepMs),
    paced?.watch(seconds, stepMs),
  ]);
  await setTimeout(quietMs);
  const beganMs = performance.timeOrigin + performance.now();
  const pauseMicros = await make();
  const endedMs = performance.timeOrigin + performance.now();
  const watched = await seen();
  const pacedWatched = await seenPaced?.();
  return {
    watched,
    gapMs: longestGap(watched, beganMs, endedMs + afterMs),
    pauseMs: pauseMicros / 1000,
    tookMs: endedMs - beganMs,
    atMs: beganMs - watched.beganMs,
    failed: watched.failed + (pacedWatched?.failed ?? 0),
    latencyMs:
      pacedWatched === undefined ? null : longestLatency(pacedWatched, beganMs, endedMs + afterMs),
  };
}

/** Makes the change that undoes another, or that has to be made before it; not watched. */
export async function prepareChange(name: string, place: Place): Promise<void> {
  if (name === "detach") await attach(place);
}

/** Undoes a change that can only be made once. */
export async function undoChange(name: string, place: Place): Promise<void> {
  if (name === "attach") await detach(place);
}

/** The daemon that has taken over is nobody's child: it is ended by the pid that it has written. */
async function endSuccessor({ prefix }: Host): Promise<void> {
  let pid: number;
  try {
    pid = Number(readFileSync(join(prefix, "koalad.pid"), "utf8"));
  } catch {
    return; // it has ended already
  }
  const deadline = Date.now() + 15_000;
  for (let signal: NodeJS.Signals = "SIGTERM"; ; signal = "SIGKILL") {
    try {
      process.kill(pid, signal);
      while (Date.now() < deadline) {
        await setTimeout(20);
        process.kill(pid, 0);
      }
    } catch {
      return; // it is gone
    }
    if (signal === "SIGKILL") return;
  }
}
