import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { figuresOf, histogramOf, mergeHistograms } from "./histogram.ts";
import { Samples } from "./samples.ts";

function near(found: number | null, expected: number): void {
  assert.ok(found !== null && Math.abs(found / expected - 1) < 0.003, `${found}, not ${expected}`);
}

describe("histograms", () => {
  it("have the percentiles of what they were made of", () => {
    const micros = Float64Array.from({ length: 10_000 }, (_, index) => index + 1);
    const figures = figuresOf(histogramOf(micros));
    assert.equal(figures.samples, 10_000);
    near(figures.p50Us, 5000);
    near(figures.p95Us, 9500);
    near(figures.p99Us, 9900);
    near(figures.p999Us, 9990);
    near(figures.minUs, 1);
  });

  it("of several clients give the percentiles of all calls, not the mean of their percentiles", () => {
    const fast = histogramOf(new Float64Array(900).fill(10));
    const slow = histogramOf(new Float64Array(100).fill(1000));
    const figures = figuresOf(mergeHistograms([slow, fast]));
    assert.equal(figures.samples, 1000);
    near(figures.p50Us, 10);
    near(figures.p95Us, 1000);
    near(figures.minUs, 10);
  });

  it("have no figures without samples", () => {
    assert.deepEqual(figuresOf([]), {
      samples: 0,
      p50Us: null,
      p95Us: null,
      p99Us: null,
      p999Us: null,
      minUs: null,
    });
  });

  it("take calls that took no time", () => {
    assert.ok(figuresOf(histogramOf(Float64Array.of(0))).p50Us! < 0.01);
  });

  it("are of what a client has kept, and are gone when it forgets", () => {
    const samples = new Samples(8);
    samples.keep = true;
    samples.add(5);
    near(figuresOf(samples.histogram()).p50Us, 5);
    samples.forget();
    assert.deepEqual(samples.histogram(), []);
    assert.equal(samples.endRound(), null);
  });
});
