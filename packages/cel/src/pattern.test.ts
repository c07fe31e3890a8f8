import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Prng, runRounds } from "@koala/testing";
import { type Matcher, patternMatcher } from "./pattern.ts";

function matcher(pattern: string): Matcher {
  const found = patternMatcher(pattern);
  if (typeof found === "string") throw new Error(`${pattern}: ${found}`);
  return found;
}

const rows: readonly [pattern: string, text: string, expected: boolean][] = [
  ["", "", true],
  ["a", "bab", true],
  ["^a", "bab", false],
  ["b$", "bab", true],
  ["^$", "x", false],
  ["^(ab|c)*$", "ababcab", true],
  ["^(ab|c)*$", "aba", false],
  ["a{2,3}b", "caab", true],
  ["^a{2,3}$", "aaaa", false],
  ["^a{2}$", "aa", true],
  ["^a{2,}$", "aaaaa", true],
  ["^[^a-c]+$", "xyz", true],
  ["^[^a-c]+$", "xbz", false],
  ["[]]", "]", true],
  ["[a-]", "-", true],
  ["^\\d+\\.\\d+$", "12.5", true],
  ["^\\w+$", "é", false],
  ["^.$", "🦒", true],
  ["^[🦒-🦕]$", "🦓", true],
  ["^.$", "\n", false],
  ["(?i)^straße$", "STRAßE", true],
  ["(?i)^[a-f]+$", "ABF", true],
  ["x*?y", "y", true],
  ["^(?P<name>a)(?:b)$", "ab", true],
  ["\\x41\\x{1F992}", "A🦒", true],
  ["\\Aa\\z", "a", true],
  ["a^b", "ab", false],
  ["(^|,)x(,|$)", "a,x", true],
];

describe("a pattern", () => {
  for (const [pattern, text, expected] of rows) {
    it(`${pattern} ${expected ? "is" : "is not"} in ${JSON.stringify(text)}`, () => {
      assert.equal(matcher(pattern).test(text), expected);
      assert.equal(matcher(pattern).test(text), expected);
    });
  }

  const refused: Record<string, RegExp> = {
    "(": /not closed/,
    ")": /unexpected \)/,
    "[a": /not closed/,
    "*": /nothing stands before/,
    "a**": /a repetition of a repetition/,
    "(?<=a)b": /look-around/,
    "(a)\\1": /\\1 is not supported/,
    "\\bx": /\\b is not supported/,
    "[z-a]": /from one character to a larger/,
    "a{9999}": /256 at most/,
    "(((a{200}){200}){200}){200}": /too large/,
    "[[:alpha:]]": /not supported/,
    "x\\": /nothing stands behind/,
  };
  for (const [pattern, message] of Object.entries(refused)) {
    it(`${pattern} is refused`, () => {
      assert.match(String(patternMatcher(pattern)), message);
    });
  }

  it("takes time in proportion to the text, where backtracking never ends", () => {
    const text = `${"a".repeat(50_000)}!`;
    for (const pattern of ["^(a+)+$", "^(a|aa)*$", "a*a*a*a*a*b$", "^(a|a|a)*b"]) {
      assert.equal(matcher(pattern).test(text), false);
    }
  });

  it("says what RegExp says", async () => {
    await runRounds(comparePattern, 1, 400);
  });
});

/** A random pattern over a few letters, on random texts. */
function comparePattern(prng: Prng): void {
  const pattern = randomPattern(prng, 2);
  const ours = patternMatcher(pattern);
  if (typeof ours === "string") {
    assert.match(ours, /^too large/);
    return;
  }
  const theirs = new RegExp(pattern, "u");
  for (let n = 0; n < 10; n++) {
    const text = Array.from({ length: prng.below(9) }, () => prng.pick(["a", "b", "c", "🦒"])).join(
      "",
    );
    assert.equal(ours.test(text), theirs.test(text), `${pattern} on ${text}`);
  }
}

function randomPattern(prng: Prng, depth: number): string {
  const parts = Array.from({ length: prng.between(1, 3) }, () => {
    if (depth > 0 && prng.chance(0.4)) {
      const inner = [randomPattern(prng, depth - 1), randomPattern(prng, depth - 1)].join("|");
      return `(?:${inner})${prng.pick(["", "*", "+", "?", "{2}", "{1,2}", "{0,}"])}`;
    }
    if (prng.chance(0.1)) return prng.pick(["^", "$"]);
    const char = prng.pick(["a", "b", "🦒", ".", "[ab]", "[^a]", "\\w"]);
    return `${char}${prng.pick(["", "", "*", "+?", "?", "{2}"])}`;
  });
  return parts.join("");
}
