import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Samples } from "./samples.ts";

describe("Samples", () => {
  it("drops what comes during the warm-up", () => {
    const samples = new Samples(8);
    samples.add(1000);
    samples.keep = true;
    samples.add(3);
    samples.add(1);
    samples.add(2);
    const figures = { samples: 3, p50Us: 2, p95Us: 3, p99Us: 3, p999Us: 3, minUs: 1 };
    assert.deepEqual(samples.figures(), figures);
  });

  it("tells the median of each round, and the figures of all", () => {
    const samples = new Samples(8);
    samples.keep = true;
    for (const micros of [1, 2, 3]) samples.add(micros);
    assert.equal(samples.endRound(), 2);
    for (const micros of [10, 20, 30]) samples.add(micros);
    assert.equal(samples.endRound(), 20);
    assert.equal(samples.endRound(), null);
    assert.equal(samples.figures().samples, 6);
  });

  it("leaves out what does not fit", () => {
    const samples = new Samples(2);
    samples.keep = true;
    for (const micros of [1, 2, 3]) samples.add(micros);
    assert.equal(samples.figures().samples, 2);
  });
});
