import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { diffLines, matchOf, textOf } from "./revision-text.ts";

describe("diffLines", () => {
  it("keeps what is the same and marks the rest", () => {
    assert.deepEqual(diffLines("a\nb\nc\n", "a\nx\nc\nd\n"), [" a", "-b", "+x", " c", "+d"]);
    assert.deepEqual(diffLines("", "a\n"), ["+a"]);
    assert.deepEqual(diffLines("a\nb", ""), ["-a", "-b"]);
    assert.deepEqual(diffLines("", ""), []);
  });
});

describe("textOf", () => {
  it("writes policies as koala.toml has them", () => {
    const text = textOf([{ use: "acl", onFailure: "open", config: { rules: [{ n: 1 }] } }]);
    assert.match(text, /^\[\[policy\]\]\nuse = "acl"\non_failure = "open"/);
    assert.match(text, /\[\[policy\.config\.rules\]\]\nn = 1/);
    assert.equal(textOf([]), "");
  });
});

describe("matchOf", () => {
  it("writes one pattern without a list", () => {
    const match = { service: ["a"], caller: ["b", "c"], side: "client" } as const;
    assert.deepEqual(matchOf(match), { service: "a", caller: ["b", "c"], side: "client" });
  });
});
