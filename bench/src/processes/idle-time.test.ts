import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { cpuSeconds } from "./cpu-time.ts";
import { IdleTime } from "./idle-time.ts";

describe("IdleTime", () => {
  it("knows nothing before anything was idle", () => {
    const idle = new IdleTime(() => 1);
    idle.end();
    assert.equal(idle.cpuShare(), null);
  });

  it("counts what was used between turns, not during them", async () => {
    let used = 0;
    const idle = new IdleTime(() => used);
    idle.begin();
    await setTimeout(150);
    used = 1;
    idle.end();
    const share = idle.cpuShare();
    assert.ok(share !== null && share > 0 && share <= 1 / 0.14, `${share}`);
    used = 100;
    idle.begin();
    idle.end();
    assert.ok(idle.cpuShare()! <= share);
  });

  it("knows nothing of what has no figure", () => {
    const idle = new IdleTime(() => null);
    idle.begin();
    idle.end();
    assert.equal(idle.cpuShare(), null);
  });
});

describe("cpuSeconds", () => {
  it("grows with the work of a process", (test) => {
    const before = cpuSeconds(process.pid);
    if (before === null) return test.skip("this kernel does not count (no schedstat)");
    const end = performance.now() + 30;
    while (performance.now() < end);
    assert.ok(cpuSeconds(process.pid)! > before);
  });

  it("is null for a process that is not there", () => {
    assert.equal(cpuSeconds(2 ** 30), null);
  });
});
