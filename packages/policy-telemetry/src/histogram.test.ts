import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { bucketCount, bucketOf, cumulativeCounts, upperMicros } from "./histogram.ts";

const micros = fc.oneof(
  fc.nat({ max: 5000 }),
  fc.nat({ max: 2 ** 31 }),
  fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
);

describe("bucketOf", () => {
  it("finds the bucket whose bounds surround the duration", () => {
    fc.assert(
      fc.property(micros, (value) => {
        const bucket = bucketOf(value);
        assert.ok(bucket >= 0 && bucket < bucketCount);
        assert.ok(Math.floor(value) < upperMicros(bucket));
        if (bucket > 0) assert.ok(value >= upperMicros(bucket - 1));
      }),
    );
  });

  it("is at most a sixteenth of its values wide", () => {
    for (let bucket = 16; bucket < bucketCount - 1; bucket++) {
      const lower = upperMicros(bucket - 1);
      assert.ok((upperMicros(bucket) - lower) / lower <= 1 / 16, `bucket ${bucket}`);
    }
  });

  it("has buckets without gaps", () => {
    for (let bucket = 0; bucket < bucketCount - 1; bucket++) {
      assert.equal(bucketOf(upperMicros(bucket)), bucket + 1);
    }
  });

  it("takes what is no duration", () => {
    assert.equal(bucketOf(-1), 0);
    assert.equal(bucketOf(Number.NaN), bucketCount - 1);
    assert.equal(bucketOf(Number.POSITIVE_INFINITY), bucketCount - 1);
    assert.equal(bucketOf(2 ** 27), bucketCount - 1);
    assert.equal(bucketOf(2 ** 27 - 1), bucketCount - 2);
  });
});

describe("cumulativeCounts", () => {
  it("never counts a slow call as a fast one, and misses by a sixteenth at most", () => {
    const values = fc.array(fc.nat({ max: 2 ** 27 }), { maxLength: 50 });
    const bounds = fc.uniqueArray(fc.integer({ min: 16, max: 2 ** 27 }), { minLength: 1 });
    fc.assert(
      fc.property(values, bounds, (durations, unsorted) => {
        const ascending = unsorted.toSorted((a, b) => a - b);
        const buckets = new Float64Array(bucketCount);
        for (const duration of durations) buckets[bucketOf(duration)]!++;
        const counts = cumulativeCounts(buckets, ascending);
        assert.equal(counts.at(-1), durations.length);
        ascending.forEach((bound, index) => {
          const most = durations.filter((duration) => duration < bound).length;
          const least = durations.filter((duration) => duration < bound * (1 - 1 / 16)).length;
          assert.ok(counts[index]! <= most && counts[index]! >= least);
        });
      }),
    );
  });
});
