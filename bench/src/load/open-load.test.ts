import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Samples } from "../figures/samples.ts";
import { poissonArrivals } from "./arrivals.ts";
import { OpenLoad } from "./open-load.ts";

/** Gives times one after the other, and then none any more. */
function times(...ms: number[]): () => number {
  return () => ms.shift() ?? Number.POSITIVE_INFINITY;
}

function keepingSamples(): Samples {
  const samples = new Samples(16);
  samples.keep = true;
  return samples;
}

describe("arrivals", () => {
  it("come at the rate, with gaps as those of a Poisson process", () => {
    const next = poissonArrivals(1000, 7);
    const count = 20_000;
    const at = Array.from({ length: count }, next);
    assert.ok(Math.abs(at[count - 1]! / count - 1) < 0.05, `${at[count - 1]}`);
    const gaps = at.map((each, index) => each - (at[index - 1] ?? 0));
    // Of an exponential distribution, 1 / e of the gaps are longer than the mean.
    const long = gaps.filter((gap) => gap > 1).length / count;
    assert.ok(Math.abs(long - Math.exp(-1)) < 0.02, `${long}`);
    assert.ok(gaps.every((gap) => gap >= 0));
  });

  it("are the same for the same seed", () => {
    const [a, b, other] = [1, 1, 2].map((seed) => poissonArrivals(10, seed));
    const first = [a!(), a!()];
    assert.deepEqual([b!(), b!()], first);
    assert.notDeepEqual([other!(), other!()], first);
  });
});

describe("an open load", () => {
  it("counts latencies from when calls were due, not from when they were made", async () => {
    const samples = keepingSamples();
    const start = performance.now() - 500;
    const load = new OpenLoad(async () => {}, samples, 10, start, 10_000);
    // The client was held up: what was due long ago is made only now.
    load.makeDue(times(100, 200));
    load.close();
    const round = await load.settled;
    assert.deepEqual(round, { calls: 2, seconds: 10, shed: 0 });
    const { minUs } = samples.figures();
    assert.ok(minUs! >= 300_000, `${minUs}`);
  });

  it("makes no more calls than may be under way, and says how many it has not made", async () => {
    const releases: (() => void)[] = [];
    const call = (): Promise<void> => new Promise((resolve) => releases.push(resolve));
    const load = new OpenLoad(call, keepingSamples(), 2, performance.now() - 50, 10_000);
    load.makeDue(times(1, 2, 3, 4, 5));
    assert.equal(releases.length, 2);
    load.close();
    for (const release of releases) release();
    assert.deepEqual(await load.settled, { calls: 2, seconds: 10, shed: 3 });
  });

  it("makes nothing before it is due, nor after the end", () => {
    let made = 0;
    const call = async (): Promise<void> => void made++;
    const start = performance.now();
    const load = new OpenLoad(call, keepingSamples(), 9, start, 100);
    const arrivals = times(10, 90, 110);
    load.makeDue(arrivals, start + 9);
    assert.equal(made, 0);
    load.makeDue(arrivals, start + 50);
    assert.equal(made, 1);
    load.makeDue(arrivals, start + 500);
    assert.equal(made, 2);
  });

  it("does not count what returns after the end", async () => {
    const load = new OpenLoad(async () => {}, keepingSamples(), 9, performance.now() - 500, 100);
    load.makeDue(times(10));
    load.close();
    assert.equal((await load.settled).calls, 0);
  });

  it("fails with a call that fails", async () => {
    const failing = (): Promise<void> => Promise.reject(new Error("no such service"));
    const load = new OpenLoad(failing, keepingSamples(), 9, performance.now() - 50, 100);
    load.makeDue(times(10));
    await assert.rejects(load.settled, /no such service/);
  });
});
