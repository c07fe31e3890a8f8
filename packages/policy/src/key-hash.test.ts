import assert from "node:assert/strict";
import { it } from "node:test";
import { KeyHash } from "./key-hash.ts";

it("KeyHash tells texts apart, by all of its bits, and depends on its seed", () => {
  const hash = new KeyHash(11, 22);
  const seen = new Set<string>();
  const sets = new Array<number>(64).fill(0);
  const texts = ["", "a", "aa", "b", "\u0000", "\u0000\u0000", "é", "x".repeat(255)];
  for (let i = 0; i < 20_000; i++) texts.push(`key ${i}`);
  for (const text of texts) {
    hash.of(text);
    assert.notEqual(hash.first, 0);
    assert.equal(hash.first | 0, hash.first);
    seen.add(`${hash.first} ${hash.second}`);
    sets[hash.first & 63]!++;
  }
  assert.equal(seen.size, texts.length);
  const [least, most] = [Math.min(...sets), Math.max(...sets)];
  assert.ok(least > 200 && most < 450, `${least} to ${most} in a set, 313 expected`);
  hash.of("key 1");
  const other = new KeyHash(11, 23);
  other.of("key 1");
  assert.notEqual(other.second, hash.second);
});
