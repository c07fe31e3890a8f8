import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { didYouMean } from "./did-you-mean.ts";

const known = ["service", "method", "caller", "target", "side", "app"];

describe("didYouMean", () => {
  it("finds the word that is meant", () => {
    const typed = ["servce", "serivce", "services", "sdie", "apps", "methd", "calller", "tagret"];
    assert.deepEqual(
      typed.map((word) => didYouMean(word, known)),
      ["service", "service", "service", "side", "app", "method", "caller", "target"].map(
        (word) => ` (Did you mean ${word}?)`,
      ),
    );
  });

  it("has nothing to say about other words", () => {
    for (const word of ["", "label", "peer", "x".repeat(100_000)]) {
      assert.equal(didYouMean(word, known), "");
    }
  });
});
