import assert from "node:assert/strict";
import { test } from "node:test";
import { SizeGuess } from "./size-guess.ts";

test("follows the largest message, up to what a slab serves, and forgets it", () => {
  const guess = new SizeGuess();
  assert.equal(guess.bytes, 64);
  guess.note(200);
  assert.equal(guess.bytes, 256);
  guess.note(100);
  assert.equal(guess.bytes, 256);
  guess.note(1_000_000);
  assert.equal(guess.bytes, 8192);
  for (let i = 0; i < 2048; i++) guess.note(100);
  assert.equal(guess.bytes, 128);
});
