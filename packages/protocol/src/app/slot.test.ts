import assert from "node:assert/strict";
import { test } from "node:test";
import { RING_SLOT_BYTES } from "@koala/shm";
import * as slot from "./slot.ts";

const { SlotFlag, SlotKind } = slot;

/** Words that each kind of slot uses, apart from word 0; see the drawing in slot.ts. */
const block = [
  slot.W_BLOCK_TAG,
  slot.W_BLOCK_OFFSET,
  slot.W_INLINE_LENGTH,
  slot.W_SEGMENT_COUNT,
  slot.W_SEGMENT_BYTES,
  slot.W_METADATA_LENGTH,
  slot.W_RELEASED_TAG,
  slot.W_RELEASED_OFFSET,
];
const wordsOf: Record<string, number[]> = {
  CALL: [slot.W_KIND, slot.W_CALL, slot.W_TARGET, slot.W_TIMEOUT, ...block],
  REPLY: [
    slot.W_KIND,
    slot.W_CALL,
    slot.W_STATUS,
    slot.W_MESSAGE_LENGTH,
    slot.W_DETAILS_LENGTH,
    ...block,
  ],
  CANCEL: [slot.W_KIND, slot.W_CALL, slot.W_STATUS],
  RELEASE: [
    slot.W_KIND,
    ...Array.from({ length: 2 * slot.RELEASES_PER_SLOT }, (_, index) => 1 + index),
  ],
  MESSAGE: [slot.W_KIND, slot.W_CALL, slot.W_COST, slot.W_COUNT, ...block],
  CREDIT: [slot.W_KIND, slot.W_CALL, slot.W_COST, slot.W_RELEASED_TAG, slot.W_RELEASED_OFFSET],
};

test("a slot is what a ring carries, in words", () => {
  assert.equal(slot.SLOT_BYTES, RING_SLOT_BYTES);
  assert.equal(slot.SLOT_BYTES, 4 * slot.SLOT_WORDS);
});

for (const [kind, words] of Object.entries(wordsOf)) {
  test(`the words of ${kind} lie in the slot and do not overlap`, () => {
    assert.equal(new Set(words).size, words.length);
    assert.ok(Math.min(...words) === slot.W_KIND && Math.max(...words) < slot.SLOT_WORDS);
  });
}

test("every word has a kind that uses it", () => {
  const named = Object.entries(slot).filter(([name]) => name.startsWith("W_"));
  const used = new Set(Object.values(wordsOf).flat());
  assert.ok(named.length > 10);
  for (const [name, word] of named) assert.ok(used.has(word as number), name);
});

test("kinds and flags fit into their bytes", () => {
  assert.deepEqual(Object.keys(SlotKind), Object.keys(wordsOf));
  const kinds = Object.values(SlotKind);
  assert.equal(new Set(kinds).size, kinds.length);
  assert.ok(
    kinds.every((kind) => kind > 0 && kind < 256),
    "an empty slot is of no kind",
  );
  const flags: number[] = Object.values(SlotFlag);
  assert.ok(flags.every((flag) => flag > 0 && flag < 256 && (flag & (flag - 1)) === 0));
  assert.equal(new Set(flags).size, flags.length);
});

test("parts of a block start at multiples of 8", () => {
  assert.equal(slot.TRACE_BYTES % 8, 0);
  assert.equal(slot.SEGMENT_ROW_BYTES % 8, 0);
  assert.deepEqual([0, 1, 7, 8, 9, 4095].map(slot.padTo8), [0, 8, 8, 8, 16, 4096]);
});
