/**
 * The case `memory`: what an idle connection of an app costs, in the daemon, in the app and in the kernel. A
 * few processes attach again and again; figures are differences to the same processes without connections.
 */
import { setTimeout } from "node:timers/promises";
import { memoryCaseName } from "./case.ts";
import { descriptorsMaxOf, kernelBytes, memoryOf, type ProcessMemory } from "./process-memory.ts";
import type { Program } from "./program.ts";
import type { Result } from "./result.ts";
import type { Stage } from "./stage.ts";
import { type Host, startHost } from "./systems/koala.ts";

const processes = 8;
/** How many connections there are when memory is looked at. */
const levels: readonly number[] = [1, 100, 1000, 10_000];
const quickLevels: readonly number[] = [1, 40];
/** Connections of which each makes a call, after they were measured idle. */
const called = 100;
/** Of an idle connection, in the daemon, and what the daemon keeps for itself. */
const descriptorsPerApp = 5;
const descriptorsKept = 512;
/** What garbage collectors need to find out that nothing happens. */
const settleMs = 2000;
const orderDeadlineMs = 120_000;

/** Names of what is looked at, which stand where systems do. */
export const memoryNames: readonly string[] = ["idle", "called", "left"];

interface Sample {
  readonly daemon: ProcessMemory;
  readonly appsPssBytes: number;
  readonly kernelBytes: number;
}

/** Measures all levels, one after the other. The stage is the caller's to close. */
export async function measureMemory(
  stage: Stage,
  names: readonly string[],
  isQuick: boolean,
  progress: (what: string) => void,
): Promise<Result[]> {
  progress(`${memoryCaseName}: starting a daemon`);
  const host = await startHost(stage, "memory daemon", [], "[limits]\napps = 65536\n");
  const env = { KOALA_PREFIX: host.prefix };
  const server = stage.start("koala-server.js", { name: "memory server", env });
  await server.ready();
  const apps: Program[] = [];
  for (let i = 0; i < processes; i++) {
    const app = stage.start("memory-app.js", { name: `memory app ${i}`, env });
    await app.ready();
    apps.push(app);
  }
  // What is compiled and loaded with a first connection is not counted as the connection's.
  await attach(apps, processes);
  await Promise.all(apps.map((app) => app.ask({ op: "call" }, orderDeadlineMs)));
  await leave(apps);
  const base = await look(host, apps, isQuick);
  const results: Result[] = [];
  const note = (name: string, connections: number, now: Sample, attachMs: number | null) => {
    if (names.includes(name)) results.push(resultOf(name, connections, base, now, attachMs));
  };
  let there = 0;
  for (const wanted of isQuick ? quickLevels : levels) {
    const count = Math.min(wanted, roomFor(host));
    if (count < wanted) {
      const limit = descriptorsMaxOf(host.daemon.pid);
      progress(`${memoryCaseName}: ${count} instead of ${wanted}: a limit of ${limit} open files`);
    }
    progress(`${memoryCaseName}: ${count} connections`);
    const tookMs = await attach(apps, count);
    note("idle", count, await look(host, apps, isQuick), tookMs / (count - there));
    there = count;
    if (wanted !== called) continue;
    for (const app of apps) await app.ask({ op: "call" }, orderDeadlineMs);
    note("called", count, await look(host, apps, isQuick), null);
  }
  await leave(apps);
  note("left", 0, await look(host, apps, isQuick), null);
  return results;
}

function roomFor(host: Host): number {
  const { pid } = host.daemon;
  return Math.floor((descriptorsMaxOf(pid) - descriptorsKept) / descriptorsPerApp);
}

/** Has so many connections in all; how long making them took, in milliseconds. */
async function attach(apps: readonly Program[], total: number): Promise<number> {
  let tookMs = 0;
  for (const [index, app] of apps.entries()) {
    const count = Math.floor(total / apps.length) + (index < total % apps.length ? 1 : 0);
    const answer = await app.ask({ op: "attach", count }, orderDeadlineMs);
    tookMs += (answer as { tookMs: number }).tookMs;
  }
  return tookMs;
}

async function leave(apps: readonly Program[]): Promise<void> {
  for (const app of apps) await app.ask({ op: "leave" }, orderDeadlineMs);
}

async function look(host: Host, apps: readonly Program[], isQuick: boolean): Promise<Sample> {
  await setTimeout(isQuick ? 100 : settleMs);
  return {
    daemon: memoryOf(host.daemon.pid),
    appsPssBytes: apps.reduce((sum, { pid }) => sum + memoryOf(pid).pssBytes, 0),
    kernelBytes: kernelBytes(),
  };
}

function resultOf(
  name: string,
  connections: number,
  base: Sample,
  now: Sample,
  attachMs: number | null,
): Result {
  const each = (after: number, before: number): number | null =>
    connections === 0 ? null : Math.round((100 * (after - before)) / connections) / 100;
  return {
    case: memoryCaseName,
    system: connections === 0 ? name : `${name}-${connections}`,
    samples: 1,
    p50Us: null,
    p99Us: null,
    callsPerSecond: null,
    bytesPerSecond: null,
    daemonCpuSeconds: null,
    clientCpuSeconds: null,
    serverCpuSeconds: null,
    daemonIdleCpuShare: null,
    hogCallsPerSecond: null,
    minUs: null,
    rounds: 1,
    measuredSeconds: 0,
    roundP50Us: [],
    roundCallsPerSecond: [],
    ratioToGrpcJs: null,
    ratioToFloor: null,
    ratioToPlain: null,
    p99RatioToPlain: null,
    ratioToTarget: null,
    ratioToProtobufEs: null,
    memory: {
      connections,
      daemonRssBytes: now.daemon.rssBytes,
      daemonPssBytes: now.daemon.pssBytes,
      daemonPssBytesAtFirst: base.daemon.pssBytes,
      daemonBytesEach: each(now.daemon.pssBytes, base.daemon.pssBytes),
      appBytesEach: each(now.appsPssBytes, base.appsPssBytes),
      kernelBytesEach: each(now.kernelBytes, base.kernelBytes),
      descriptors: now.daemon.descriptors,
      descriptorsEach: each(now.daemon.descriptors, base.daemon.descriptors),
      mappings: now.daemon.mappings,
      mappingsEach: each(now.daemon.mappings, base.daemon.mappings),
      attachMsEach: attachMs === null ? null : Math.round(attachMs * 100) / 100,
    },
  };
}
