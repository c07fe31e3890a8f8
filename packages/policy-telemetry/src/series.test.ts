import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { otherName, readShared, readSlab, type SeriesNames, SeriesTable } from "./series.ts";
import { Position, Slab, sharedBytesFor } from "./slab.ts";

const base: SeriesNames = {
  side: "client",
  kind: "unary",
  service: "geo.v1.Geo",
  method: "Lookup",
  caller: "web",
};

function memory(seriesMax: number, runtimes = 1): SharedArrayBuffer {
  return new SharedArrayBuffer(sharedBytesFor(seriesMax, runtimes));
}

function tableOf(shared: SharedArrayBuffer, runtime = 0, runtimes = 1): SeriesTable {
  return new SeriesTable(new Slab(shared, runtime, runtimes));
}

function count(table: SeriesTable, names: SeriesNames, times = 1): void {
  table.slab.numbers[table.baseOf(names) + Position.STARTED]! += times;
}

describe("SeriesTable", () => {
  it("shows the reader what was counted, with its names", () => {
    const shared = memory(16);
    const table = tableOf(shared);
    const names: SeriesNames[] = [
      base,
      { ...base, side: "server" },
      { ...base, kind: "bidi_streaming", method: "Watch" },
      { ...base, caller: "Bürgeramt-日本" },
      { ...base, caller: "" },
    ];
    names.forEach((each, index) => {
      count(table, each, index + 1);
    });
    const { series, totals } = readShared(shared, 1);
    assert.equal(series.length, names.length);
    names.forEach((each, index) => {
      const found = series.find(({ numbers }) => numbers[Position.STARTED] === index + 1);
      assert.deepEqual({ ...found, numbers: undefined }, { ...each, numbers: undefined });
    });
    assert.equal(totals.series, names.length + 2);
    assert.equal(totals.seriesMax, 16);
  });

  it("adds up the runtimes, which have slabs of their own", () => {
    const shared = memory(16, 3);
    for (const runtime of [0, 1, 2]) count(tableOf(shared, runtime, 3), base, 10 ** runtime);
    const { series } = readShared(shared, 3);
    assert.deepEqual(
      series.map(({ numbers }) => numbers[Position.STARTED]),
      [111],
    );
  });

  it("begins a runtime's slab on a cache line of its own", () => {
    const shared = memory(17, 3);
    for (const runtime of [0, 1, 2]) {
      const slab = new Slab(shared, runtime, 3);
      assert.equal(slab.head.byteOffset % 64, 0);
      assert.equal((slab.baseOf(0) * 8) % 64, 0);
      assert.ok(slab.seriesMax >= 17);
    }
  });

  it("cuts names that are too long, between characters, and still finds them", () => {
    const table = tableOf(memory(16));
    const long = {
      ...base,
      service: "é".repeat(300),
      method: "m".repeat(500),
      caller: "日".repeat(99),
    };
    count(table, long);
    count(table, long);
    const [found] = readSlab(table.slab);
    assert.equal(found?.numbers[Position.STARTED], 2);
    assert.equal(found?.service, "é".repeat(127));
    assert.equal(found?.method, "m".repeat(124));
    assert.equal(found?.caller, "日".repeat(42));
  });

  it("counts callers of a method together when room gets scarce, then methods", () => {
    const shared = memory(16);
    const table = tableOf(shared);
    for (let i = 0; i < 1000; i++) count(table, { ...base, caller: `app-${i}` });
    let { series, totals } = readShared(shared, 1);
    const others = series.find(({ caller }) => caller === otherName);
    assert.equal(others?.method, "Lookup");
    assert.equal(others?.numbers[Position.STARTED], 1000 - (series.length - 1));
    assert.equal(totals.overflow, others?.numbers[Position.STARTED]);

    for (let i = 0; i < 100; i++) count(table, { ...base, method: `Method${i}` });
    ({ series, totals } = readShared(shared, 1));
    assert.equal(totals.series, 16);
    assert.ok(series.some(({ service }) => service === otherName));
    const sum = series.reduce((all, { numbers }) => all + numbers[Position.STARTED]!, 0);
    assert.equal(sum, 1100);
  });

  it("takes over what an instance before it has counted", () => {
    const shared = memory(16);
    count(tableOf(shared), base, 3);
    const next = tableOf(shared);
    assert.equal(next.isFresh, false);
    count(next, base, 4);
    assert.deepEqual(
      readShared(shared, 1).series.map(({ numbers }) => numbers[Position.STARTED]),
      [7],
    );
  });

  it("loads what was counted in other memory, into less room as well", () => {
    const before = tableOf(memory(64));
    for (let i = 0; i < 40; i++) count(before, { ...base, caller: `app-${i}` });
    const shared = memory(16);
    const next = tableOf(shared);
    assert.equal(next.isFresh, true);
    next.load(readSlab(before.slab));
    const { series } = readShared(shared, 1);
    const sum = series.reduce((all, { numbers }) => all + numbers[Position.STARTED]!, 0);
    assert.equal(sum, 40);
  });

  it("refuses memory that another version has laid out, and leaves it as it is", () => {
    const shared = memory(16);
    new Int32Array(shared)[0] = 99;
    assert.throws(() => tableOf(shared), { code: "ERR_TELEMETRY_STATE" });
    assert.equal(new Int32Array(shared)[0], 99);
    assert.deepEqual(readShared(shared, 1).series, []);
  });
});
