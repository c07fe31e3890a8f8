import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { didYouMean, editDistance, suggest } from "./suggestion.ts";

describe("editDistance", () => {
  it("counts inserted, deleted, replaced and swapped characters", () => {
    assert.equal(editDistance("listen", "listen"), 0);
    assert.equal(editDistance("lissten", "listen"), 1);
    assert.equal(editDistance("lsten", "listen"), 1);
    assert.equal(editDistance("lister", "listen"), 1);
    assert.equal(editDistance("lisetn", "listen"), 1);
    assert.equal(editDistance("", "abc"), 3);
    assert.equal(editDistance("kitten", "sitting"), 3);
  });

  it("is symmetric, and zero only for equal words", () => {
    const word = fc.string({ maxLength: 12 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        assert.equal(editDistance(a, b), editDistance(b, a));
        assert.equal(editDistance(a, b) === 0, a === b);
        assert.ok(editDistance(a, b) <= Math.max(a.length, b.length));
      }),
    );
  });
});

describe("suggest", () => {
  const words = ["listen", "runtimes", "send_heap", "off"];

  it("finds the nearest word", () => {
    assert.equal(suggest("lissten", words), "listen");
    assert.equal(suggest("Runtime", words), "runtimes");
    assert.equal(suggest("send-heap", words), "send_heap");
    assert.equal(suggest("of", words), "off");
  });

  it("finds nothing for a word far from all", () => {
    assert.equal(suggest("colour", words), undefined);
    assert.equal(suggest("xyz", words), undefined);
    assert.equal(suggest("", words), undefined);
    assert.equal(suggest("l".repeat(10_000), words), undefined);
  });

  it("makes a sentence, or none", () => {
    assert.equal(didYouMean("lissten", words), 'Did you mean "listen"?');
    assert.equal(didYouMean("colour", words), "");
  });
});
