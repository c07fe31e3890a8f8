import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Prng } from "./prng.ts";

describe("Prng", () => {
  it("repeats itself with the same seed, and not with another", () => {
    const sequence = (seed: number) => {
      const prng = new Prng(seed);
      return Array.from({ length: 8 }, () => prng.next());
    };
    assert.deepEqual(sequence(1), sequence(1));
    assert.notDeepEqual(sequence(1), sequence(2));
    assert.notDeepEqual(sequence(0), new Array(8).fill(0));
  });

  it("spreads over its range and keeps inside", () => {
    const prng = new Prng(3);
    const counts = new Array(10).fill(0);
    for (let i = 0; i < 10_000; i++) counts[prng.below(10)]++;
    for (const count of counts) assert.ok(count > 800 && count < 1200, `${counts}`);
    for (let i = 0; i < 1000; i++) {
      const value = prng.between(-2, 2);
      assert.ok(value >= -2 && value <= 2 && Number.isInteger(value));
    }
    assert.ok(!prng.chance(0));
    assert.ok(prng.chance(1));
  });
});
