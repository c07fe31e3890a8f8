import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { editDistance, suggest } from "./suggestion.ts";

describe("editDistance", () => {
  it("counts edits", () => {
    assert.equal(editDistance("rate", "rate"), 0);
    assert.equal(editDistance("rat", "rate"), 1);
    assert.equal(editDistance("goodpot", "goodput"), 1);
    assert.equal(editDistance("", "rate"), 4);
  });
});

describe("suggest", () => {
  it("finds the nearest", () => {
    assert.equal(suggest("latncy", ["layout", "latency"]), "latency");
  });

  it("is silent when nothing is near", () => {
    assert.equal(suggest("xyz", ["layout", "latency"]), undefined);
    assert.equal(suggest("xyz", []), undefined);
  });
});
