/**
 * The case `memory`: what an idle connection of an app costs, in the daemon, in the app and in the kernel. A
 * few processes attach more and more often; what a connection costs is the difference from one level to the next.
 * Garbage that has not been collected hides what a few connections cost, so only the higher levels say much.
 */
import { setTimeout } from "node:timers/promises";
import type { Result } from "../figures/result.ts";
import { Crowd } from "../load/crowd.ts";
import { cpuSeconds } from "../processes/cpu-time.ts";
import {
  descriptorsMaxOf,
  kernelBytes,
  memoryOf,
  type ProcessMemory,
} from "../processes/process-memory.ts";
import type { Stage } from "../processes/stage.ts";
import { type Host, startHost } from "../systems/koala.ts";
import { memoryCaseName } from "./case.ts";

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
const settleMs = 3000;

/** Names of what is looked at, which stand where systems do. */
export const memoryNames: readonly string[] = ["idle", "called", "left"];

interface Sample {
  readonly daemon: ProcessMemory;
  readonly appsPssBytes: number;
  readonly kernelBytes: number;
  /** Of one processor, while nothing happened. */
  readonly idleCpuShare: number | null;
}

interface Level extends Sample {
  readonly connections: number;
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
  const apps = await Crowd.start(stage, "memory-app.js", processes, { name: "memory app", env });
  // What is compiled and loaded with a first connection is not counted as the connection's.
  for (let turn = 0; turn < 3; turn++) {
    await apps.attach(processes);
    await apps.call();
    await apps.leave();
  }
  await look(host, apps, isQuick);
  await apps.leave();
  let before: Level = { connections: 0, ...(await look(host, apps, isQuick)) };
  const results: Result[] = [];
  const note = async (name: string, connections: number, attachMs: number | null) => {
    const now: Level = { connections, ...(await look(host, apps, isQuick)) };
    if (names.includes(name)) results.push(resultOf(name, before, now, attachMs));
    before = now;
  };
  for (const wanted of isQuick ? quickLevels : levels) {
    const count = Math.min(wanted, roomFor(host));
    if (count < wanted) {
      const limit = descriptorsMaxOf(host.daemon.pid);
      progress(`${memoryCaseName}: ${count} instead of ${wanted}: a limit of ${limit} open files`);
    }
    progress(`${memoryCaseName}: ${count} connections`);
    const more = count - before.connections;
    await note("idle", count, (await apps.attach(count)) / more);
    if (wanted !== called) continue;
    await apps.call();
    await note("called", count, null);
  }
  await apps.leave();
  await note("left", 0, null);
  return results;
}

function roomFor(host: Host): number {
  const { pid } = host.daemon;
  return Math.floor((descriptorsMaxOf(pid) - descriptorsKept) / descriptorsPerApp);
}

async function look(host: Host, apps: Crowd, isQuick: boolean): Promise<Sample> {
  const { pid } = host.daemon;
  // The first half is for what follows on attaching.
  const halfMs = (isQuick ? 100 : settleMs) / 2;
  await setTimeout(halfMs);
  const before = cpuSeconds(pid);
  await setTimeout(halfMs);
  const after = cpuSeconds(pid);
  return {
    idleCpuShare: before === null || after === null ? null : (after - before) / (halfMs / 1000),
    daemon: memoryOf(pid),
    appsPssBytes: apps.pssBytes(),
    kernelBytes: kernelBytes(),
  };
}

function resultOf(name: string, before: Level, now: Level, attachMs: number | null): Result {
  const { connections } = now;
  // Those that made a call are those that were there.
  const more = connections === before.connections ? connections : connections - before.connections;
  const each = (of: (sample: Sample) => number): number | null =>
    connections === 0 ? null : Math.round((100 * (of(now) - of(before))) / more) / 100;
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
    daemonIdleCpuShare: now.idleCpuShare,
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
      daemonBytesEach: each(({ daemon }) => daemon.pssBytes),
      appBytesEach: each(({ appsPssBytes }) => appsPssBytes),
      kernelBytesEach: each((sample) => sample.kernelBytes),
      descriptors: now.daemon.descriptors,
      descriptorsEach: each(({ daemon }) => daemon.descriptors),
      mappings: now.daemon.mappings,
      mappingsEach: each(({ daemon }) => daemon.mappings),
      attachMsEach: attachMs === null ? null : Math.round(attachMs * 100) / 100,
    },
  };
}
