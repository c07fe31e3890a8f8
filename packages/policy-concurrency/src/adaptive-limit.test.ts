import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { AdaptiveLimit, nextLimit, nextUsual } from "./adaptive-limit.ts";
import type { AdaptiveConfig } from "./config.ts";
import { PermitTable } from "./permit-table.ts";

const config: AdaptiveConfig = { min: 2, max: 100, tolerance: 1.5, window: 10 };

describe("nextLimit", () => {
  it("rises while latency is as usual, or a little more", () => {
    assert.ok(nextLimit(16, 1000, 1000, config) > 16);
    assert.ok(nextLimit(16, 1000, 1490, config) > 16);
  });

  it("falls when latency rises further, and never by more than its share of a half", () => {
    const next = nextLimit(64, 1000, 4000, config);
    assert.ok(next < 64 && next > 64 * 0.85, String(next));
    assert.equal(nextLimit(64, 1000, 1_000_000, config), nextLimit(64, 1000, 3000, config));
  });

  it("stays within its bounds", () => {
    let limit = 50;
    for (let i = 0; i < 200; i++) limit = nextLimit(limit, 1000, 1000, config);
    assert.equal(limit, 100);
    for (let i = 0; i < 200; i++) limit = nextLimit(limit, 1000, 1e9, { ...config, min: 30 });
    assert.equal(limit, 30);
  });
});

describe("nextUsual", () => {
  it("begins with the first, follows slowly upwards, and soon downwards", () => {
    assert.equal(nextUsual(0, 500), 500);
    assert.ok(nextUsual(500, 5000) < 520);
    let usual = 10_000;
    for (let i = 0; i < 60; i++) usual = nextUsual(usual, 100);
    assert.ok(usual < 1000, String(usual));
  });
});

describe("AdaptiveLimit", () => {
  it("looks at windows of enough calls, and only when the limit matters", () => {
    const runtime = { index: 0, count: 1 };
    const memory = new SharedArrayBuffer(PermitTable.bytesFor(8, 1));
    const table = new PermitTable(memory, runtime, () => 0.5);
    const entry = table.find(1, 1, 0, 20);
    const adaptive = new AdaptiveLimit(table);
    for (let i = 0; i < 9; i++) adaptive.sample(entry, 1000, 20, i * 100, config);
    assert.equal(table.usualMicros(entry), 0, "too few");
    adaptive.sample(entry, 1000, 20, 1000, config);
    assert.equal(table.usualMicros(entry), 1000);
    const risen = table.limitOf(entry);
    assert.ok(risen > 20);
    for (let i = 0; i < 50; i++) adaptive.sample(entry, 1000, 3, 2000 + i * 100, config);
    assert.equal(table.limitOf(entry), risen, "three in flight say nothing about twenty");
  });
});
