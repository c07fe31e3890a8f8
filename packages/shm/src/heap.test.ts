import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runRounds } from "@koala/testing";
import { heapRound } from "./heap.fuzz.ts";
import { Heap } from "./heap.ts";
import { smallBytesMax } from "./heap-region.ts";
import { type Memory, openMemory } from "./memory.ts";

const slabBytes = 65536;

function memoryOf(slabs: number): Memory {
  return openMemory(new ArrayBuffer(slabs * slabBytes));
}

/** A block's name. */
function take(heap: Heap, bytes: number): [tag: number, offset: number] {
  assert.ok(heap.allocate(bytes), `${bytes} bytes`);
  return [heap.tag, heap.offset];
}

describe("Heap", () => {
  it("gives blocks of at least the size asked for, on cache lines", () => {
    const heap = new Heap(0, memoryOf(16));
    for (const bytes of [0, 1, 64, 65, 1300, smallBytesMax, smallBytesMax + 1, 300_000]) {
      const [tag, offset] = take(heap, bytes);
      assert.ok(heap.capacityOf(tag, offset) >= bytes);
      assert.equal(offset % 64, 0);
    }
  });

  it("leaves alone what lies behind its part of the first region", () => {
    const heap = new Heap(0, memoryOf(3), [], 2 * slabBytes);
    assert.deepEqual(heap.usage(), { regions: 1, regionBytes: 2 * slabBytes, blocks: 0 });
    assert.ok(heap.allocate(2 * slabBytes));
    assert.equal(heap.offset, 0);
    assert.equal(heap.allocate(1), false);
    assert.deepEqual(heap.usage(), { regions: 1, regionBytes: 2 * slabBytes, blocks: 1 });
  });

  it("has no room before it has a region, and keeps the first one that it gets", () => {
    const heap = new Heap(3, null);
    assert.equal(heap.allocate(1), false);
    assert.deepEqual(heap.usage(), { regions: 0, regionBytes: 0, blocks: 0 });
    heap.addRegion(3, memoryOf(1));
    const [tag, offset] = take(heap, 1);
    assert.equal(tag >>> 16, 3);
    heap.free(tag, offset);
    assert.equal(heap.takeIdleRegion(Number.MAX_SAFE_INTEGER), -1);
  });

  it("wastes less than half of a block of 64 bytes or more", () => {
    const heap = new Heap(0, memoryOf(4));
    for (let bytes = 65; bytes <= smallBytesMax; bytes += 63) {
      const [tag, offset] = take(heap, bytes);
      assert.ok(heap.capacityOf(tag, offset) < 2 * bytes, `${bytes} bytes`);
      heap.free(tag, offset);
    }
  });

  it("says no when it is full, and goes on with what is freed", () => {
    const heap = new Heap(0, memoryOf(2));
    const names: [number, number][] = [];
    while (heap.allocate(1024)) names.push([heap.tag, heap.offset]);
    assert.equal(names.length, 128);
    assert.ok(!heap.allocate(smallBytesMax + 1));
    const [tag, offset] = names[50]!;
    assert.ok(heap.free(tag, offset));
    assert.equal(take(heap, 1024)[1], offset);
  });

  it("refuses sizes beyond any region", () => {
    const heap = new Heap(0, memoryOf(1));
    for (const bytes of [slabBytes + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 40]) {
      assert.ok(!heap.allocate(bytes), `${bytes}`);
    }
    assert.equal(heap.usage().blocks, 0);
  });

  it("frees a block once", () => {
    const heap = new Heap(0, memoryOf(4));
    for (const bytes of [100, 20_000]) {
      const [tag, offset] = take(heap, bytes);
      assert.ok(heap.free(tag, offset));
      assert.ok(!heap.free(tag, offset));
      assert.equal(heap.capacityOf(tag, offset), 0);
      // Whoever has the place now keeps it.
      const [newTag, newOffset] = take(heap, bytes);
      assert.equal(newOffset, offset);
      assert.ok(!heap.free(tag, offset));
      assert.ok(heap.free(newTag, newOffset));
    }
  });

  it("knows names of before a slab or a run took the place", () => {
    const heap = new Heap(0, memoryOf(1));
    const stale: [number, number][] = [];
    const useOnce = (bytes: number) => {
      const name = take(heap, bytes);
      assert.ok(heap.free(...name));
      stale.push(name);
    };
    // Runs of one page, later ones at every page of the region, then slabs, then runs again.
    for (let round = 0; round < 3; round++) {
      const pages = Array.from({ length: 5 }, () => take(heap, 3 * 4096));
      for (const name of pages) {
        heap.free(...name);
        stale.push(name);
      }
      for (const bytes of [64, 1024, 8192, 65536, 64, 12_288, 65536]) useOnce(bytes);
    }
    for (const bytes of [64, 192, 8192, 20_000]) {
      const live: [number, number][] = [];
      while (heap.allocate(bytes)) live.push([heap.tag, heap.offset]);
      for (const name of stale) assert.ok(!heap.free(...name), `${name} with ${bytes}-byte blocks`);
      for (const name of live) {
        assert.ok(heap.free(...name));
        stale.push(name);
      }
    }
  });

  it("knows names of before a region was taken and another one got its id", () => {
    const heap = new Heap(0, memoryOf(1));
    take(heap, slabBytes);
    heap.addRegion(1, memoryOf(1));
    const stale = take(heap, 20_000);
    heap.free(...stale);
    assert.equal(heap.takeIdleRegion(Date.now()), 1);
    assert.ok(!heap.free(...stale));
    heap.addRegion(1, memoryOf(1));
    const live = take(heap, 20_000);
    assert.equal(live[1], stale[1]);
    assert.ok(!heap.free(...stale));
    assert.ok(heap.free(...live));
  });

  it("keeps generations apart for 32,768 uses of one place", () => {
    const heap = new Heap(0, memoryOf(1));
    const first = take(heap, 64);
    heap.free(...first);
    for (let use = 1; use < 32_768; use++) {
      const name = take(heap, 64);
      assert.equal(name[1], first[1]);
      assert.notEqual(name[0], first[0], `use ${use}`);
      heap.free(...name);
    }
    // The counter went past 16 bits; slab and place still work.
    const next = take(heap, 64);
    assert.ok(heap.free(...next));
  });

  it("refuses names that no allocation gave", () => {
    const heap = new Heap(2, memoryOf(2));
    const [tag, offset] = take(heap, 192);
    const generation = tag & 0xffff;
    for (const [badTag, badOffset] of [
      [tag, offset + 64],
      [tag, offset + 192],
      [tag, offset + 1],
      [tag, -64],
      [tag, 2 * slabBytes],
      [tag, 0x7fff_ffff],
      [tag, -0x8000_0000],
      [(2 << 16) | (generation + 1), offset],
      [(2 << 16) | (generation + 2), offset],
      [(1 << 16) | generation, offset],
      [(3 << 16) | generation, offset],
      [-1, offset],
      [0, 0],
    ] as const) {
      assert.ok(!heap.free(badTag, badOffset), `${badTag} ${badOffset}`);
      assert.equal(heap.capacityOf(badTag, badOffset), 0);
    }
    assert.ok(heap.free(tag, offset));
  });

  it("does not open and close a slab for one message after the other", () => {
    const heap = new Heap(0, memoryOf(4));
    const first = take(heap, 100);
    heap.free(...first);
    const second = take(heap, 100);
    assert.equal(second[1], first[1]);
    assert.equal(second[0], first[0] + 2, "the slab and its generations went on");
  });

  it("gives the pages of spare slabs to whoever needs them", () => {
    const heap = new Heap(0, memoryOf(4));
    for (const bytes of [64, 1024, 8192]) heap.free(...take(heap, bytes));
    const whole = take(heap, 4 * slabBytes);
    assert.ok(!heap.allocate(64));
    heap.free(...whole);
    for (const bytes of [64, 128, 192, 256]) heap.free(...take(heap, bytes));
    assert.ok(heap.allocate(8192), "a slab of another class takes the place of a spare one");
  });

  it("takes regions that are idle, except the first", () => {
    const heap = new Heap(7, memoryOf(1));
    const pinned = take(heap, slabBytes);
    heap.addRegion(heap.freeRegionId(), memoryOf(2));
    assert.deepEqual(heap.usage(), { regions: 2, regionBytes: 3 * slabBytes, blocks: 1 });
    const small = take(heap, 64);
    const large = take(heap, 20_000);
    assert.equal(small[0] >>> 16, 0);
    assert.equal(large[0] >>> 16, 0);
    assert.equal(heap.takeIdleRegion(Number.POSITIVE_INFINITY), -1);
    assert.ok(!heap.hasEmptyRegion());
    heap.free(...small);
    assert.ok(!heap.hasEmptyRegion());
    heap.free(...large);
    assert.ok(heap.hasEmptyRegion(), "a spare slab does not keep a region");
    assert.equal(heap.takeIdleRegion(Date.now() - 60_000), -1, "not yet");
    assert.equal(heap.takeIdleRegion(Date.now()), 0);
    assert.equal(heap.regionMemory(0), undefined);
    heap.free(...pinned);
    assert.equal(heap.takeIdleRegion(Number.POSITIVE_INFINITY), -1, "the first stays");
    assert.deepEqual(heap.usage(), { regions: 1, regionBytes: slabBytes, blocks: 0 });
  });

  it("takes a region that was added and never used", () => {
    const heap = new Heap(0, memoryOf(1));
    heap.addRegion(1, memoryOf(1));
    assert.ok(heap.hasEmptyRegion());
    assert.equal(heap.takeIdleRegion(Date.now()), 1);
  });

  it("moves small traffic back to the first region, so that others become idle", () => {
    const heap = new Heap(0, memoryOf(1));
    const pinned = take(heap, slabBytes);
    heap.addRegion(1, memoryOf(1));
    const small = take(heap, 64);
    assert.equal(small[0] >>> 16, 1);
    heap.free(...pinned);
    heap.free(...small);
    assert.equal(take(heap, 64)[0] >>> 16, 0);
    assert.ok(heap.hasEmptyRegion());
  });

  it("refuses regions that do not fit its arithmetic", () => {
    const heap = new Heap(0, memoryOf(1));
    assert.throws(() => heap.addRegion(1, openMemory(new ArrayBuffer(4096))), /64 KiB/);
    assert.throws(() => heap.addRegion(0, memoryOf(1)), /unique/);
    assert.throws(() => heap.addRegion(0x8000, memoryOf(1)), /unique/);
  });

  it("names every block in use, whatever its size", () => {
    const heap = new Heap(0, memoryOf(8));
    heap.addRegion(5, memoryOf(8));
    const blocks = [64, 64, 1300, 8192, 70_000, 150_000, 120_000].map((bytes) => take(heap, bytes));
    heap.free(...blocks.shift()!);
    const found: string[] = [];
    heap.forEachUsed((region, tag, offset) => {
      assert.equal(tag >>> 16, region);
      found.push(`${tag}:${offset}`);
    });
    assert.deepEqual(found.sort(), blocks.map(([tag, offset]) => `${tag}:${offset}`).sort());
  });

  it("goes on from the generations of an earlier heap, so its names are not given again", () => {
    const before = new Heap(0, memoryOf(2));
    const [tag, offset] = take(before, 64);
    const large = take(before, 65536);
    before.free(...large);
    const after = new Heap(0, memoryOf(2), before.generationsOf());
    const fresh = take(after, 64);
    assert.equal(fresh[1], offset);
    assert.notEqual(fresh[0], tag);
    assert.equal(after.free(tag, offset), false);
    assert.ok(after.free(...fresh));
  });

  it("agrees with a map of its regions in random use", () => runRounds(heapRound, 1, 60));
});
