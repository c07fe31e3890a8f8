/** What operators see of the runtimes: `GET /v1/runtimes`. */
import { monotonicMicros } from "@koala/native";
import type { RuntimeReport, RuntimesAnswer } from "@koala/protocol";
import type { Config } from "../config/index.ts";
import type { AdminRegistry } from "../control/admin-registry.ts";
import type { RuntimeThread } from "../control/runtime-thread.ts";
import type { RuntimePool } from "./runtime-pool.ts";
import { threadTimes } from "./thread-times.ts";

/** A thread that hangs must not keep the others from being shown. */
const answerMs = 500;

/** Adds the route. */
export function addRuntimeRoutes(admin: AdminRegistry, pool: RuntimePool, config: Config): void {
  admin.add({
    method: "GET",
    path: "/v1/runtimes",
    handle: () => runtimesAnswer(pool, config),
  });
}

/** What there is now. Rates are those of the last second or two, and cost no waiting. */
export async function runtimesAnswer(pool: RuntimePool, config: Config): Promise<RuntimesAnswer> {
  const { mode, affinity, rebalance } = config.runtime;
  const runtimes = await Promise.all(pool.threads.map((thread) => reportOf(thread, config)));
  const windowMs = Math.max(1000, ...runtimes.map((report) => report.windowMs));
  return {
    mode,
    affinity,
    rebalance,
    runtimesMax: pool.max,
    windowMs,
    notes: [...pool.notes],
    runtimes: runtimes.map(({ windowMs: _, ...report }) => report),
  };
}

async function reportOf(
  thread: RuntimeThread,
  { runtime, placements }: Config,
): Promise<RuntimeReport & { windowMs: number }> {
  const { index, heartbeat } = thread;
  // First: the question itself wakes the thread.
  const rates = heartbeat.rates(monotonicMicros());
  const status = await thread.status(answerMs).catch(() => thread.lastStatus);
  const ran = threadTimes(heartbeat.thread)?.ranMs;
  const isPlaced = placements.some((rule) => rule.runtime === index);
  return {
    index,
    state: thread.state === "ended" ? "stopping" : thread.state,
    mode: thread.isDedicated ? "dedicated" : isPlaced ? "placed" : runtime.mode,
    cpus: [...thread.cpus],
    load: rounded(rates.load, 1000),
    apps: thread.apps,
    links: status?.links.length ?? 0,
    engines: status?.engines ?? 0,
    openCalls: status?.openCalls ?? 0,
    roundsPerSecond: rounded(rates.rounds, 10),
    sleepsPerSecond: rounded(rates.sleeps, 10),
    wakeupsPerSecond: rounded(rates.wakeups, 10),
    spinsPerSecond: rounded(rates.spins, 10),
    cpuSeconds: ran === undefined ? (status?.cpuSeconds ?? 0) : ran / 1000,
    restarts: thread.restarts,
    lastFailure: thread.lastFailure,
    startedAt: thread.startedAt.toISOString(),
    windowMs: Math.round(rates.windowMicros / 1000),
  };
}

function rounded(value: number, steps: number): number {
  return Math.round(value * steps) / steps;
}
