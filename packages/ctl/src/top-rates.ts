/** From two answers of `/v1/top` to what happened between them. */
import {
  type AppTraffic,
  latencyBucketMicros,
  type TopAnswer,
  type TrafficStatus,
} from "@koala/protocol";

/** How long calls took, of those that were sampled. */
export interface Latency {
  p50Micros: number | null;
  p99Micros: number | null;
  samples: number;
}

/** One service under one name, whoever calls it. */
export interface ServiceRate extends Latency {
  service: string;
  target: string;
  callsPerSecond: number;
  errorsPerSecond: number;
  bytesPerSecond: number;
  open: number;
}

/** One app thread. The latencies and errors are those of the calls that it makes. */
export interface AppRate extends Latency {
  id: number;
  runtime: number;
  name: string;
  pid: number;
  madePerSecond: number;
  servedPerSecond: number;
  errorsPerSecond: number;
  bytesPerSecond: number;
  open: number;
  sharedBytes: number;
}

/** One runtime thread. */
export interface RuntimeRate {
  runtime: number;
  /** Processor time by time, 0 to 1. */
  cpu: number;
  load: number;
  apps: number;
  open: number;
}

export interface Rates {
  /** Time between the two answers. */
  overMs: number;
  services: ServiceRate[];
  apps: AppRate[];
  runtimes: RuntimeRate[];
}

interface Sum {
  calls: number;
  errors: number;
  open: number;
  bytes: number;
  buckets: Map<number, number>;
}

/** Rates between two answers; the most calls first. Rows that are new count from zero. */
export function ratesBetween(before: TopAnswer, after: TopAnswer): Rates {
  const overMs = Math.max(1, after.atMs - before.atMs);
  const perSecond = (count: number): number => round((count * 1000) / overMs);
  const old = new Map(before.traffic.map((row) => [keyOf(row), row]));
  const services = new Map<string, Sum & { service: string; target: string }>();
  const callers = new Map<number, Sum>();
  for (const row of after.traffic) {
    const { service, target, app } = row;
    const key = JSON.stringify([service, target]);
    const sum = services.get(key) ?? { ...newSum(), service, target };
    services.set(key, sum);
    const caller = callers.get(app) ?? newSum();
    callers.set(app, caller);
    for (const total of [sum, caller]) add(total, row, old.get(keyOf(row)));
  }
  const oldApps = new Map(before.apps.map((app) => [app.id, app]));
  return {
    overMs: Math.round(overMs),
    services: [...services.values()]
      .map(({ service, target, calls, errors, bytes, open, buckets }) => ({
        service,
        target,
        callsPerSecond: perSecond(calls),
        errorsPerSecond: perSecond(errors),
        bytesPerSecond: perSecond(bytes),
        open,
        ...latencyOf(buckets),
      }))
      .sort((a, b) => b.callsPerSecond - a.callsPerSecond),
    apps: after.apps
      .map((app) => rateOfApp(app, oldApps.get(app.id), callers.get(app.id) ?? newSum(), perSecond))
      .sort((a, b) => b.madePerSecond + b.servedPerSecond - a.madePerSecond - a.servedPerSecond),
    runtimes: after.runtimes.map(({ index, load, cpuSeconds, openCalls, apps }) => {
      const earlier = before.runtimes.find((runtime) => runtime.index === index);
      const used = earlier === undefined ? 0 : Math.max(0, cpuSeconds - earlier.cpuSeconds);
      const cpu = Math.round((used * 1e6) / overMs) / 1000;
      return { runtime: index, cpu, load, apps, open: openCalls };
    }),
  };
}

function rateOfApp(
  app: AppTraffic,
  before: AppTraffic | undefined,
  calls: Sum,
  perSecond: (count: number) => number,
): AppRate {
  const since = (key: "callsMade" | "callsServed" | "bytesIn" | "bytesOut"): number => {
    // It may have come to another runtime, where it counts from zero.
    const grown = app[key] - (before?.[key] ?? 0);
    return grown < 0 ? app[key] : grown;
  };
  const { id, runtime, name, pid, outgoing, incoming, sharedBytes } = app;
  return {
    id,
    runtime,
    name,
    pid,
    madePerSecond: perSecond(since("callsMade")),
    servedPerSecond: perSecond(since("callsServed")),
    errorsPerSecond: perSecond(calls.errors),
    bytesPerSecond: perSecond(since("bytesIn") + since("bytesOut")),
    open: outgoing + incoming,
    sharedBytes,
    ...latencyOf(calls.buckets),
  };
}

function add(sum: Sum, row: TrafficStatus, before: TrafficStatus | undefined): void {
  sum.calls += row.calls - (before?.calls ?? 0);
  sum.errors += row.errors - (before?.errors ?? 0);
  sum.open += row.open;
  const bytes = row.requestBytes + row.replyBytes;
  sum.bytes += bytes - (before === undefined ? 0 : before.requestBytes + before.replyBytes);
  const old = new Map(pairs(before?.latency ?? []));
  for (const [bucket, count] of pairs(row.latency)) {
    const grown = count - (old.get(bucket) ?? 0);
    if (grown > 0) sum.buckets.set(bucket, (sum.buckets.get(bucket) ?? 0) + grown);
  }
}

function pairs(flat: readonly number[]): [bucket: number, count: number][] {
  const found: [number, number][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) found.push([flat[i]!, flat[i + 1]!]);
  return found;
}

function latencyOf(buckets: ReadonlyMap<number, number>): Latency {
  const sorted = [...buckets].sort(([a], [b]) => a - b);
  const samples = sorted.reduce((sum, [, count]) => sum + count, 0);
  const at = (share: number): number | null => {
    let left = Math.ceil(samples * share);
    for (const [bucket, count] of sorted) {
      left -= count;
      if (left <= 0) return Math.round(latencyBucketMicros(bucket));
    }
    return null;
  };
  return samples === 0
    ? { p50Micros: null, p99Micros: null, samples }
    : { p50Micros: at(0.5), p99Micros: at(0.99), samples };
}

function newSum(): Sum {
  return { calls: 0, errors: 0, open: 0, bytes: 0, buckets: new Map() };
}

function keyOf({ runtime, key, service, target }: TrafficStatus): string {
  return JSON.stringify([runtime, key, service, target]);
}

function round(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 10) / 10;
}
