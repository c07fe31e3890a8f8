/**
 * The case `upgrade`: a daemon under load is changed in every way there is, and a client that calls all the
 * time says how long it had to wait for the next reply. `nothing` is the same without a change: garbage
 * collection and other processes make gaps, too.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { askAdmin, postAdmin } from "@koala/ctl";
import { KoalaError } from "@koala/interface";
import type { ChangeAnswer } from "@koala/protocol";
import { changeCaseName } from "./case.ts";
import type { Program } from "./program.ts";
import type { Result } from "./result.ts";
import type { Stage } from "./stage.ts";
import { median } from "./statistics.ts";
import { type Host, startHost } from "./systems/koala.ts";
import { longestGap, type Watched } from "./timeline.ts";

const inFlight = 128;
/** For how long the client watches before a change begins, and after it has ended. */
const quietMs = 150;
/** What a change may have to do with after it has been answered. */
const afterMs = 20;

interface Change {
  readonly name: string;
  /** How often; daemons take seconds to start. */
  readonly times: number;
  /** For how long the client watches. */
  readonly seconds: number;
  /** Makes the change; resolves with how long calls stood still, in microseconds, as the daemon says. */
  make(place: Place): Promise<number>;
}

/** Where changes are made: the daemon's folder, and that of the policy whose code changes. */
interface Place {
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

export default definePolicy<object, { seen: number }>({
  name: "counter",
  version: "${version}.0.0",
  config: z.strictObject({}),
  start: () => ({ seen: 0 }),
  onRequest(_call, ctx) {
    ctx.state.seen++;
  },
  export: (ctx) => ctx.state,
  import: (saved) => saved as { seen: number },
});
`,
  );
}

let policyVersion = 1;

async function upgradePolicy({ prefix, policyFile }: Place): Promise<number> {
  writePolicy(policyFile, ++policyVersion);
  return pauseOf(await postAdmin(prefix, "/v1/upgrade", { module: "counter" }));
}

const changes: readonly Change[] = [
  { name: "nothing", times: 20, seconds: 0.4, make: async () => 0 },
  { name: "ask", times: 20, seconds: 0.4, make: ask },
  { name: "attach", times: 20, seconds: 0.4, make: attach },
  { name: "detach", times: 20, seconds: 0.4, make: detach },
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

/** Names of the changes, which stand where systems do. */
export const changeNames: readonly string[] = changes.map(({ name }) => name);

/** Makes the changes in turns. The stage is the caller's to close. */
export async function measureChanges(
  stage: Stage,
  names: readonly string[],
  isQuick: boolean,
  progress: (what: string) => void,
): Promise<Result[]> {
  progress(`${changeCaseName}: starting a daemon`);
  // One policy is there all the time, so that there is something to upgrade.
  const policies = stage.folder("upgrade-policies");
  const policyFile = join(policies, "counter.ts");
  writePolicy(policyFile, policyVersion);
  const settings = `[modules]\ndirectories = ["${policies}"]\n\n[[policy]]\nuse = "counter"\n`;
  const host = await startHost(stage, "upgrade daemon", [], settings);
  stage.beforeClose(() => endSuccessor(host));
  const env = { KOALA_PREFIX: host.prefix };
  const server = stage.start("koala-server.js", { name: "upgrade server", env });
  await server.ready();
  const client = stage.start("timeline-client.js", {
    name: "upgrade client",
    args: [String(inFlight)],
    env,
  });
  await client.ready();
  await setTimeout(isQuick ? 100 : 3000);
  const results: Result[] = [];
  for (const change of changes.filter(({ name }) => names.includes(name))) {
    const times = isQuick ? 1 : change.times;
    progress(`${changeCaseName}: ${change.name}, ${times} times`);
    results.push(await measureChange(change, times, client, { prefix: host.prefix, policyFile }));
  }
  return results;
}

async function measureChange(
  change: Change,
  times: number,
  client: Program,
  place: Place,
): Promise<Result> {
  const gaps: number[] = [];
  const pauses: number[] = [];
  const rates: number[] = [];
  let failed = 0;
  let last: Watched | undefined;
  for (let i = 0; i < times; i++) {
    if (change.name === "detach") await attach(place);
    const watching = client.watch(change.seconds);
    await setTimeout(quietMs);
    const beganMs = performance.timeOrigin + performance.now();
    pauses.push(await change.make(place));
    const endedMs = performance.timeOrigin + performance.now();
    last = await watching;
    if (change.name === "attach") await detach(place);
    gaps.push(longestGap(last, beganMs, endedMs + afterMs));
    const calls = last.callsPer10Ms.reduce((sum, count) => sum + count, 0);
    rates.push(calls / change.seconds);
    failed += last.failed;
  }
  const micros = gaps.map((ms) => Math.round(ms * 1000));
  return {
    case: changeCaseName,
    system: change.name,
    samples: micros.length,
    p50Us: median(micros),
    p99Us: Math.max(...micros),
    callsPerSecond: Math.round(median(rates) ?? 0),
    bytesPerSecond: null,
    daemonCpuSeconds: null,
    clientCpuSeconds: null,
    serverCpuSeconds: null,
    daemonIdleCpuShare: null,
    hogCallsPerSecond: null,
    minUs: Math.min(...micros),
    rounds: times,
    measuredSeconds: times * change.seconds,
    roundP50Us: micros,
    roundCallsPerSecond: rates.map(Math.round),
    ratioToGrpcJs: null,
    ratioToFloor: null,
    ratioToPlain: null,
    p99RatioToPlain: null,
    ratioToTarget: null,
    ratioToProtobufEs: null,
    pauseUs: change.name === "nothing" ? null : median(pauses),
    failedCalls: failed,
    ...(last === undefined ? {} : { callsPer10Ms: last.callsPer10Ms }),
  };
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
