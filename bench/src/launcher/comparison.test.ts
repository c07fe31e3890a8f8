import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compareResults, renderComparison } from "./comparison.ts";
import type { ResultLine } from "./result-line.ts";

function line(p50Us: number, rounds: readonly number[], bytes: number = 64): ResultLine {
  return {
    experiment: "latency",
    system: "koala-tcp",
    parameters: { bytes, inFlight: 1 },
    figures: { p50Us, p99Us: 9, nothing: null },
    rounds: { p50Us: rounds },
  };
}

describe("a comparison", () => {
  it("has the ratio of what both runs have measured, whatever the order of parameters", () => {
    const other = { ...line(15, [14, 16]), parameters: { inFlight: 1, bytes: 64 } };
    const found = compareResults([line(10, [9, 11]), line(1, [1], 128)], [other]);
    assert.deepEqual(
      found.map(({ figure, a, b, ratio, isClear }) => [figure, a, b, ratio, isClear]),
      [
        ["p50Us", 10, 15, 1.5, true],
        ["p99Us", 9, 9, 1, null],
      ],
    );
  });

  it("does not take for clear what is within the rounds", () => {
    const [p50] = compareResults([line(10, [9, 12])], [line(13, [11.5, 14])]);
    assert.equal(p50!.isClear, false);
  });

  it("marks what is clear with a star, and leaves out what has no rounds", () => {
    const found = compareResults([line(1000, [9, 11])], [line(2000, [14, 16])]);
    const text = renderComparison(found, false);
    assert.match(text, /bytes 64, inFlight 1 +p50Us +1,000 +2,000 +2\.000 +\*\n$/);
    assert.doesNotMatch(text, /p99Us/);
    assert.match(renderComparison(found, true), /p99Us/);
  });
});
