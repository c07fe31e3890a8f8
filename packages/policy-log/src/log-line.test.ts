import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { msText, quoted } from "./log-line.ts";

describe("quoted", () => {
  it("is what JSON.stringify says, for every character", () => {
    for (let unit = 0; unit < 0x300; unit++) {
      const text = `a${String.fromCharCode(unit)}b`;
      assert.equal(quoted(text), JSON.stringify(text), `U+${unit.toString(16)}`);
    }
    for (const text of ["", "\ud800", "\u2028", "日本", '"', "\\"]) {
      assert.equal(quoted(text), JSON.stringify(text));
    }
  });
});

describe("msText", () => {
  it("has three digits behind the point", () => {
    assert.deepEqual([0, 1, 45, 999.6, 1000, 12_034, -5].map(msText), [
      "0.000",
      "0.001",
      "0.045",
      "1.000",
      "1.000",
      "12.034",
      "0.000",
    ]);
  });
});
