import assert from "node:assert/strict";
import { it } from "node:test";
import {
  latencyBucketMicros,
  latencyBucketOf,
  type TopAnswer,
  type TrafficStatus,
} from "@koala/protocol";
import { ratesBetween } from "./top-rates.ts";
import { formatTop } from "./top-view.ts";

function row(more: Partial<TrafficStatus>): TrafficStatus {
  const zero = { calls: 0, errors: 0, open: 0, requestBytes: 0, replyBytes: 0, latency: [] };
  return {
    runtime: 0,
    key: "1",
    caller: "web[1]",
    app: 1,
    target: "t",
    service: "s.S",
    ...zero,
    ...more,
  };
}

function answer(atMs: number, traffic: TrafficStatus[], callsMade = 0): TopAnswer {
  const app = { id: 1, runtime: 0, name: "web", pid: 1, callsServed: 0, outgoing: 2, incoming: 0 };
  return {
    atMs,
    traffic,
    apps: [{ ...app, callsMade, bytesIn: 0, bytesOut: callsMade * 10, sharedBytes: 4096 }],
    runtimes: [{ index: 0, load: 0.5, cpuSeconds: atMs / 10_000, openCalls: 2, apps: 1 }],
  };
}

it("says what happened between two looks", () => {
  const slow = latencyBucketOf(1000);
  const fast = latencyBucketOf(10);
  const before = answer(1000, [row({ calls: 100, errors: 5, latency: [slow, 50] })], 100);
  const after = answer(
    3000,
    [
      row({ calls: 300, errors: 7, open: 1, requestBytes: 2000, latency: [fast, 98, slow, 52] }),
      // A client that is new.
      row({ key: "2", calls: 20, open: 1, replyBytes: 400 }),
    ],
    320,
  );
  const { services, apps, runtimes, overMs } = ratesBetween(before, after);
  assert.equal(overMs, 2000);
  const [service] = services;
  assert.deepEqual(
    [service!.callsPerSecond, service!.errorsPerSecond, service!.bytesPerSecond, service!.open],
    [110, 1, 1200, 2],
  );
  assert.equal(service!.samples, 100);
  assert.equal(service!.p50Micros, Math.round(latencyBucketMicros(fast)));
  assert.equal(service!.p99Micros, Math.round(latencyBucketMicros(slow)));
  assert.deepEqual([apps[0]!.madePerSecond, apps[0]!.bytesPerSecond], [110, 1100]);
  assert.equal(runtimes[0]!.cpu, 0.1);
});

it("counts an app that has moved from where it is now", () => {
  const { apps } = ratesBetween(answer(0, [], 500), answer(1000, [], 20));
  assert.equal(apps[0]!.madePerSecond, 20);
});

it("shows as many rows as there is room for", () => {
  const traffic = Array.from({ length: 9 }, (_, i) => row({ key: `${i}`, target: `t${i}` }));
  const lines = formatTop(ratesBetween(answer(0, []), answer(1000, traffic)), (_, text) => text, 4);
  assert.equal(lines.filter((line) => line.startsWith("s.S")).length, 4);
  assert.ok(lines.includes("and 5 more"));
});

it("puts times into buckets that are at most a tenth wider than they are", () => {
  for (const micros of [1, 2, 3, 10, 99, 1000, 123_456, 5e8]) {
    const upper = latencyBucketMicros(latencyBucketOf(micros));
    assert.ok(upper >= micros * 0.999 && upper <= micros * 1.1, `${micros}: ${upper}`);
  }
});
