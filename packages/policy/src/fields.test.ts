import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import {
  durationField,
  durationText,
  patternsField,
  probabilityField,
  statusField,
} from "./fields.ts";

describe("durationField", () => {
  it("reads a number with its unit as milliseconds", () => {
    const field = durationField({ maxMs: 7_200_000 });
    const texts = ["0ms", "250us", "5ms", "2 s", "3m", "2h"];
    assert.deepEqual(
      texts.map((text) => field.parse(text)),
      [0, 0.25, 5, 2000, 180_000, 7_200_000],
    );
  });

  it("refuses what has no unit, is no text, or is out of its limits, and says what was expected", () => {
    const field = durationField({ minMs: 1, maxMs: 10_000 });
    for (const value of [5, "5", "", "ms", "-5ms", "1.5s", "5 days", null, undefined, {}]) {
      const result = field.safeParse(value);
      assert.ok(!result.success, String(value));
      assert.match(
        result.error.issues[0]!.message,
        /from 1ms to 10s, a whole number with its unit/,
      );
    }
    for (const value of ["500us", "11s"]) {
      const result = field.safeParse(value);
      assert.ok(!result.success, value);
      assert.match(result.error.issues[0]!.message, /^expected a duration from 1ms to 10s$/);
    }
  });
});

describe("durationText", () => {
  it("takes the largest unit that gives a whole number", () => {
    assert.deepEqual([0, 0.25, 1, 1500, 2000, 90_000, 3_600_000].map(durationText), [
      "0ms",
      "250us",
      "1ms",
      "1500ms",
      "2s",
      "90s",
      "1h",
    ]);
  });
});

describe("statusField", () => {
  it("reads names, and refuses OK and strangers", () => {
    assert.equal(statusField().parse("UNAVAILABLE"), Status.UNAVAILABLE);
    for (const value of ["OK", "unavailable", "NOPE", 14, null]) {
      assert.ok(!statusField().safeParse(value).success, String(value));
    }
  });
});

describe("patternsField", () => {
  it("takes one or several", () => {
    assert.deepEqual(patternsField().parse("a*"), ["a*"]);
    assert.deepEqual(patternsField().parse(["a*", "b"]), ["a*", "b"]);
    for (const value of ["", [], [""], 1, ["x".repeat(256)]]) {
      assert.ok(!patternsField().safeParse(value).success);
    }
  });
});

describe("probabilityField", () => {
  it("is a number from 0 to 1", () => {
    for (const value of [0, 0.5, 1]) assert.equal(probabilityField().parse(value), value);
    for (const value of [-0.1, 1.1, "1", Number.NaN]) {
      assert.ok(!probabilityField().safeParse(value).success);
    }
  });
});
