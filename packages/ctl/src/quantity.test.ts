import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatBytes, formatDuration, parseDuration } from "./quantity.ts";

describe("formatBytes", () => {
  it("takes the largest unit below the value", () => {
    const values = [0, 1023, 1024, 4 * 1024 * 1024, 3 * 1024 ** 4];
    assert.deepEqual(values.map(formatBytes), ["0 B", "1023 B", "1.0 KiB", "4.0 MiB", "3.0 TiB"]);
  });
});

describe("formatDuration", () => {
  it("shows the two largest units", () => {
    const values = [-5, 999, 61_000, 3_600_000, 90_000_000];
    assert.deepEqual(values.map(formatDuration), ["0s", "0s", "1m 1s", "1h", "1d 1h"]);
  });
});

describe("parseDuration", () => {
  it("takes a number with a unit, and nothing else", () => {
    assert.deepEqual(
      ["500ms", "1.5s", "2m", "1h"].map(parseDuration),
      [500, 1500, 120_000, 3_600_000],
    );
    for (const text of ["5", "", "s", "-1s", "0s", "1 s", "1d", "999999h"]) {
      assert.equal(parseDuration(text), undefined, text);
    }
  });
});
