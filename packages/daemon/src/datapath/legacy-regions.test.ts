import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LegacyRegions } from "./legacy-regions.ts";

const tag = (region: number, generation: number): number => (region << 16) | generation;
const largestOffset = 2 ** 31 - 4096;

describe("LegacyRegions", () => {
  it("takes every block back once, and forgets a region with its last one", () => {
    const empty: number[] = [];
    const blocks = Int32Array.of(tag(3, 0xffff), largestOffset, tag(3, 1), 64);
    const legacy = new LegacyRegions([{ id: 3, bytes: 4096, blocks }], (id) => empty.push(id));
    assert.deepEqual([legacy.bytes, legacy.blocks, legacy.size], [4096, 2, 1]);
    assert.equal(legacy.free(tag(3, 1), 128), false);
    assert.equal(legacy.free(tag(3, 3), 64), false);
    assert.equal(legacy.free(tag(4, 1), 64), false);
    assert.ok(legacy.free(tag(3, 1), 64));
    assert.equal(legacy.free(tag(3, 1), 64), false);
    assert.deepEqual(empty, []);
    assert.ok(legacy.free(tag(3, 0xffff), largestOffset));
    assert.deepEqual(empty, [3]);
    assert.deepEqual([legacy.bytes, legacy.size, legacy.has(3)], [0, 0, false]);
  });

  it("is the same after it was saved, with the largest names there are", () => {
    const saved = [
      { id: 0x7fff, bytes: 8192, blocks: Int32Array.of(tag(0x7fff, 0xffff), largestOffset) },
      { id: 0, bytes: 4096, blocks: Int32Array.of(tag(0, 1), 0, tag(0, 5), 64) },
    ];
    const legacy = new LegacyRegions(saved, () => {});
    assert.deepEqual(legacy.save(), saved);
  });

  it("drops regions that nothing is out of", () => {
    const empty: number[] = [];
    const none = { id: 1, bytes: 4096, blocks: new Int32Array(0) };
    const some = { id: 2, bytes: 4096, blocks: Int32Array.of(tag(2, 1), 0) };
    const legacy = new LegacyRegions([none, some], (id) => empty.push(id));
    legacy.dropEmpty();
    assert.deepEqual(empty, [1]);
    assert.equal(legacy.bytes, 4096);
  });
});
