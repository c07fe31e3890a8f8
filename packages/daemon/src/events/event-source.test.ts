import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type EventNotice, EventSource } from "./event-source.ts";

interface Subject {
  source: EventSource;
  posted: EventNotice[];
  reports: number[];
  clock: { nowMs: number };
}

function create(): Subject {
  const posted: EventNotice[] = [];
  const reports: number[] = [];
  const clock = { nowMs: 5000 };
  const source = new EventSource({
    runtime: 3,
    post: (notice) => posted.push(notice),
    nowMs: () => clock.nowMs,
    reportLater: (afterMs) => reports.push(afterMs),
  });
  return { source, posted, reports, clock };
}

describe("EventSource", () => {
  it("posts events with the runtime and the time", () => {
    const { source, posted } = create();
    const before = Date.now();
    source.emit("app", "attached", { app: 1 });
    const { timeMs, ...rest } = posted[0]!;
    assert.ok(timeMs >= before && timeMs <= Date.now());
    assert.deepEqual(rest, {
      op: "event",
      topic: "app",
      name: "attached",
      fields: { app: 1, runtime: 3 },
    });
  });

  it("bounds a flood of one topic, says how many are missing, and lets the others through", () => {
    const { source, posted, reports } = create();
    for (let i = 0; i < 1000; i++) source.emit("policy", "denied");
    assert.equal(posted.length, 64);
    assert.deepEqual(reports, [1000], "one report for all of them");
    source.emit("app", "detached");
    assert.equal(posted.at(-1)!.name, "detached");
    source.report();
    assert.deepEqual(posted.at(-1)!.fields, { count: 936, runtime: 3 });
    assert.equal(`${posted.at(-1)!.topic}/${posted.at(-1)!.name}`, "policy/dropped");
    const count = posted.length;
    source.report();
    assert.equal(posted.length, count, "a loss is told once");
    source.emit("policy", "denied");
    assert.equal(reports.length, 2, "and the next one later");
  });

  it("earns its allowance back with time, and not more than it had", () => {
    const { source, posted, clock } = create();
    for (let i = 0; i < 100; i++) source.emit("link", "down");
    clock.nowMs += 500;
    for (let i = 0; i < 100; i++) source.emit("link", "down");
    assert.equal(posted.length, 64 + 16);
    clock.nowMs += 3_600_000;
    for (let i = 0; i < 100; i++) source.emit("link", "down");
    assert.equal(posted.length, 64 + 16 + 64);
  });
});
