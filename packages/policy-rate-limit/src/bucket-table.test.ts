import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { KeyHash } from "@koala/policy";
import { type BucketRate, BucketTable } from "./bucket-table.ts";

const beginMs = 123_456_789.25;

function tableFor(rate: Partial<BucketRate>, keysMax = 64): BucketTable {
  const memory = new SharedArrayBuffer(BucketTable.bytesFor(keysMax));
  return new BucketTable(memory, { rate: 100, burst: 1, ahead: 0, ...rate }, () => 0.5);
}

function takeUpTo(table: BucketTable, bucket: number, nowMs: number, most: number): number {
  let taken = 0;
  while (taken < most && table.take(bucket, nowMs, 0) === 0) taken++;
  return taken;
}

describe("BucketTable", () => {
  it("gives a burst, and then as many tokens as time earns", () => {
    const table = tableFor({ rate: 100, burst: 5 });
    const bucket = table.find(1, 2, beginMs);
    assert.equal(takeUpTo(table, bucket, beginMs, 100), 5);
    assert.equal(takeUpTo(table, bucket, beginMs + 9, 100), 0);
    assert.equal(takeUpTo(table, bucket, beginMs + 20.1, 100), 2);
    assert.equal(takeUpTo(table, bucket, beginMs + 5000, 100), 5, "no more than the burst");
  });

  it("says after how many ms there is a token", () => {
    const table = tableFor({ rate: 100 });
    const bucket = table.find(1, 2, beginMs);
    assert.equal(table.take(bucket, beginMs, 0), 0);
    const waitMs = -table.take(bucket, beginMs, 0);
    assert.ok(waitMs > 9.9 && waitMs <= 10, `${waitMs} ms`);
    assert.equal(table.take(bucket, beginMs + waitMs, 0), 0);
  });

  it("reserves tokens ahead, one after the other, and takes them back", () => {
    const table = tableFor({ rate: 100, ahead: 10 });
    const bucket = table.find(1, 2, beginMs);
    const waits = Array.from({ length: 8 }, () => Math.round(table.take(bucket, beginMs, 50)));
    assert.deepEqual(waits, [0, 10, 20, 30, 40, 50, -60, -60]);
    table.giveBack(bucket, 2);
    assert.equal(Math.round(table.take(bucket, beginMs, 50)), 40);
  });

  const rates = [0.01, 0.5, 3, 999, 12_345.678, 1_000_000, 10_000_000];
  for (const rate of rates) {
    it(`is exact over a long time at ${rate} a second`, () => {
      const burst = Math.max(2, Math.ceil(rate / 50));
      const table = tableFor({ rate, burst });
      const bucket = table.find(7, 8, beginMs);
      // As often as it takes to leave nothing, and at moments that are no multiples of anything.
      const seconds = Math.max(0.2, Math.min(10_000, 2000 / rate));
      const stepMs = (0.3 * 1000 * burst) / rate;
      let taken = takeUpTo(table, bucket, beginMs, burst) - burst;
      let nowMs = beginMs;
      while (nowMs < beginMs + seconds * 1000) {
        nowMs += stepMs * (0.5 + ((nowMs * 7919) % 1));
        taken += takeUpTo(table, bucket, nowMs, 10_000_000);
      }
      const expected = ((nowMs - beginMs) / 1000) * rate;
      assert.ok(Math.abs(taken - expected) <= 1, `${taken} of ${expected}`);
    });
  }

  it("has a full bucket after any pause, also when its numbers have come round", () => {
    for (const rate of [0.01, 1000, 10_000_000]) {
      for (const pauseMs of [1e6, 2 ** 31, 2 ** 31 + 5e8, 2 ** 32 - 1e6, 3e9, 1e10]) {
        const burst = 4;
        const table = tableFor({ rate, burst });
        const bucket = table.find(1, 2, beginMs);
        assert.equal(takeUpTo(table, bucket, beginMs, 10), burst);
        const after = takeUpTo(table, bucket, beginMs + pauseMs, 10);
        assert.equal(
          after,
          rate < 1 ? Math.min(burst, (rate * pauseMs) / 1000) : burst,
          `${rate} a second after ${pauseMs} ms`,
        );
      }
    }
  });

  it("keeps keys apart, and finds them again", () => {
    const table = tableFor({ burst: 1 }, 4096);
    const hash = new KeyHash(table.seedFirst, table.seedSecond);
    const places = new Set<number>();
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 1000; i++) {
        hash.of(`key ${i}`);
        const bucket = table.find(hash.first, hash.second, beginMs);
        places.add(bucket);
        assert.equal(table.take(bucket, beginMs, 0) === 0, round === 0);
      }
    }
    assert.equal(places.size, 1000);
    assert.equal(table.evicted, 0);
  });

  it("lets the key go that was used least recently", () => {
    const table = tableFor({ rate: 0.01, burst: 2 }, 8);
    for (let i = 0; i < 8; i++) {
      const bucket = table.find(i + 1, 0, beginMs + i);
      assert.equal(takeUpTo(table, bucket, beginMs + i, 5), 2);
    }
    const first = table.find(1, 0, beginMs + 20);
    assert.equal(takeUpTo(table, first, beginMs + 20, 5), 0, "the first is still there");
    const ninth = table.find(9, 0, beginMs + 30);
    assert.equal(table.evicted, 1);
    assert.equal(takeUpTo(table, ninth, beginMs + 30, 5), 2);
    assert.equal(table.find(9, 0, beginMs + 31), ninth);
    assert.notEqual(table.find(1, 0, beginMs + 32), first, "its place is taken");
  });

  it("holds the rate when threads take from one bucket", async () => {
    const rate = { rate: 200_000, burst: 1000, ahead: 0 };
    const memory = new SharedArrayBuffer(BucketTable.bytesFor(8));
    const module = new URL("./bucket-table.js", import.meta.url).href;
    // Each goes through the same half second of time at its own pace, and takes all that it gets.
    const code = `
      const { parentPort, workerData } = require("node:worker_threads");
      import(workerData.module).then(({ BucketTable }) => {
        const table = new BucketTable(workerData.memory, workerData.rate, Math.random);
        const bucket = table.find(5, 6, 1e6);
        let taken = 0;
        for (let ms = 0; ms <= 500; ms += 1) {
          while (table.take(bucket, 1e6 + ms, 0) === 0) taken++;
        }
        parentPort.postMessage(taken);
      });`;
    const workers = Array.from(
      { length: 2 },
      () => new Worker(code, { eval: true, workerData: { memory, module, rate } }),
    );
    const taken = await Promise.all(
      workers.map((worker) => new Promise<number>((resolve) => worker.once("message", resolve))),
    );
    await Promise.all(workers.map((worker) => worker.terminate()));
    const total = taken.reduce((sum, count) => sum + count, 0);
    const exact = 1000 + 0.5 * 200_000;
    assert.ok(total <= exact + 2 && total >= exact * 0.99, `${total} of ${exact}`);
  });
});
