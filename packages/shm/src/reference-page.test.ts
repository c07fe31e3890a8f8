// Compares docs/reference/shared-memory.md with the code.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { classBytes, smallBytesMax } from "./heap-region.ts";
import {
  RING_HEAD_OFFSET,
  RING_HEADER_BYTES,
  RING_SLEEPING_OFFSET,
  RING_SLOT_BYTES,
  RING_TAIL_OFFSET,
  RING_WAITING_OFFSET,
} from "./ring.ts";

function read(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
}

const page = read("docs/reference/shared-memory.md");

/** Cells of all table rows that begin with a number. */
const rows = page
  .split("\n")
  .filter((line) => /^\| \d/.test(line))
  .map((line) =>
    line
      .split("|")
      .map((cell) => cell.trim())
      .slice(1, -1),
  );

describe("the page about shared memory", () => {
  it("has the offsets of the ring", () => {
    const constants = {
      RING_TAIL_OFFSET,
      RING_HEAD_OFFSET,
      RING_SLEEPING_OFFSET,
      RING_WAITING_OFFSET,
      RING_HEADER_BYTES,
    };
    for (const [name, value] of Object.entries(constants)) {
      const row = rows.find((cells) => cells.includes(`\`${name}\``));
      assert.equal(row?.[0], String(value), name);
    }
    assert.equal(rows.filter((cells) => cells[3]?.startsWith("`RING_")).length, 5);
    assert.ok(page.includes(`| ${RING_SLOT_BYTES} n |`), "the size of the slots");
  });

  it("has the offsets of the ring in its drawing", () => {
    const drawn = [...page.matchAll(/^\s+(?:byte )?(\d+)\s+[┌├]─/gm)].map((match) =>
      Number(match[1]),
    );
    assert.deepEqual(drawn, [
      RING_TAIL_OFFSET,
      RING_HEAD_OFFSET,
      RING_SLEEPING_OFFSET,
      RING_WAITING_OFFSET,
      RING_HEADER_BYTES,
    ]);
  });

  it("has the sizes of slab slots", () => {
    const sizes = /Slot sizes ([\d, and\s]+)/.exec(page)![1]!.match(/\d+/g)!.map(Number);
    assert.deepEqual(sizes, classBytes);
    assert.equal(sizes.at(-1), smallBytesMax);
  });

  // The slots are another package's, which this one must not import; its source says the same.
  it("has the words of a descriptor slot", () => {
    const source = read("packages/protocol/src/app/slot.ts");
    const words = [...source.matchAll(/^export const (W_\w+) = (\d+);/gm)];
    assert.ok(words.length > 10);
    for (const [, name, value] of words) {
      const row = rows.find((cells) => cells.at(-1)!.includes(`\`${name}\``));
      assert.equal(row?.[0], value, name);
    }
  });
});
