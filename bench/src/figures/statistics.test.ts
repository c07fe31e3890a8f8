import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { median, percentile, ratio, sum } from "./statistics.ts";

describe("percentile", () => {
  it("is the nearest rank", () => {
    const hundred = Float64Array.from({ length: 100 }, (_, i) => i + 1);
    assert.equal(percentile(hundred, 50), 50);
    assert.equal(percentile(hundred, 99), 99);
    assert.equal(percentile(hundred, 0), 1);
    assert.equal(percentile(Float64Array.of(1, 2, 3), 50), 2);
  });

  it("is null when there are no numbers", () => {
    assert.equal(percentile(new Float64Array(0), 50), null);
  });
});

describe("median", () => {
  it("is the middle, or the mean of the middle two", () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([10, 2, 4, 8]), 6);
    assert.equal(median([]), null);
  });

  it("leaves its argument in order", () => {
    const values = [3, 1, 2];
    median(values);
    assert.deepEqual(values, [3, 1, 2]);
  });
});

describe("sum", () => {
  it("is null only when nothing is known", () => {
    assert.equal(sum([null, 1, 2]), 3);
    assert.equal(sum([null, null]), null);
    assert.equal(sum([0]), 0);
  });
});

describe("ratio", () => {
  it("is null when one side is missing", () => {
    assert.equal(ratio(1, 4), 0.25);
    assert.equal(ratio(null, 4), null);
    assert.equal(ratio(1, null), null);
    assert.equal(ratio(1, 0), null);
  });
});
