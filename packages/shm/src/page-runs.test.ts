import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Prng } from "@koala/testing";
import { PageRuns } from "./page-runs.ts";

describe("PageRuns", () => {
  it("hands out all pages and no more", () => {
    const runs = new PageRuns(64);
    assert.equal(runs.allocate(64), 0);
    assert.equal(runs.usedPages, 64);
    assert.equal(runs.allocate(1), -1);
    assert.ok(!runs.hasRun(1));
    runs.free(0);
    assert.equal(runs.usedPages, 0);
    assert.ok(runs.hasRun(64));
  });

  it("refuses lengths that no run has", () => {
    const runs = new PageRuns(16);
    for (const pages of [0, -1, 17, 2 ** 31, Number.NaN]) {
      assert.equal(runs.allocate(pages), -1);
      assert.ok(!runs.hasRun(pages));
    }
    assert.equal(runs.usedPages, 0);
  });

  it("joins a freed run with its neighbours, in every order", () => {
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      for (const pages of [
        [1, 1, 1],
        [1, 2, 3],
        [5, 1, 7],
      ]) {
        const total = pages[0]! + pages[1]! + pages[2]!;
        const runs = new PageRuns(total);
        const starts = pages.map((each) => runs.allocate(each));
        assert.ok(!starts.includes(-1));
        for (const index of order) runs.free(starts[index]!);
        assert.equal(runs.allocate(total), 0, `${pages} freed in order ${order}`);
      }
    }
  });

  it("knows where used runs start", () => {
    const runs = new PageRuns(16);
    const run = runs.allocate(4);
    assert.ok(runs.startsUsedRun(run));
    assert.equal(runs.pagesOf(run), 4);
    for (const page of [-1, run + 1, run + 3, run + 4, 16, 1000]) {
      assert.ok(!runs.startsUsedRun(page), `page ${page}`);
    }
    runs.free(run);
    assert.ok(!runs.startsUsedRun(run));
  });

  it("finds the one run that fits behind many of the same bin that do not", () => {
    const runs = new PageRuns(1024);
    // Free runs of 4 pages and one of 7 share a bin; the 7 is the oldest, so it is tried last.
    const seven = runs.allocate(7);
    runs.allocate(1);
    const fours: number[] = [];
    while (runs.hasRun(5)) {
      fours.push(runs.allocate(4));
      runs.allocate(1);
    }
    runs.free(seven);
    for (const four of fours) runs.free(four);
    assert.equal(runs.allocate(7), seven);
    assert.equal(runs.allocate(7), -1);
    assert.ok(runs.hasRun(4));
  });

  it("agrees with a map of pages in random use", () => {
    const prng = new Prng(20);
    const pageCount = 300;
    const runs = new PageRuns(pageCount);
    const used = new Uint8Array(pageCount);
    const live = new Map<number, number>();
    for (let step = 0; step < 20_000; step++) {
      if (prng.chance(0.52)) {
        const pages = prng.between(1, prng.pick([3, 20, 100]));
        const run = runs.allocate(pages);
        const longest = Math.max(...freeRunsOf(used));
        assert.equal(run === -1, pages > longest, "a fit is found exactly when there is one");
        if (run === -1) continue;
        const range = used.subarray(run, run + pages);
        assert.ok(range.length === pages && !range.includes(1));
        range.fill(1);
        live.set(run, pages);
      } else if (live.size > 0) {
        const run = prng.pick([...live.keys()]);
        runs.free(run);
        used.fill(0, run, run + live.get(run)!);
        live.delete(run);
      }
      assert.equal(
        runs.usedPages,
        used.reduce((sum, page) => sum + page, 0),
      );
    }
  });
});

function freeRunsOf(used: Uint8Array): number[] {
  const lengths = [0];
  for (const page of used) {
    if (page === 1) lengths.push(0);
    else lengths[lengths.length - 1]! += 1;
  }
  return lengths;
}
