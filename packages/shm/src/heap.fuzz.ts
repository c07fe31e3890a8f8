/**
 * The heap against a map of every 64 bytes of its regions.
 *
 * 1. A heap with one small region; others are added when it is full and taken when they are idle.
 * 2. Random steps: allocate (sizes of all classes and runs), free, free again, free a name from long ago,
 *    free an invented name. The model knows which block owns which 64 bytes: a new block must own none
 *    that is owned, and start at a multiple of 64.
 * 3. At the end everything is freed: all other regions become idle, and the first is one free run again.
 */
import assert from "node:assert/strict";
import { fuzzMain, type Prng } from "@koala/testing";
import { Heap } from "./heap.ts";
import { type Memory, openMemory } from "./memory.ts";

const stepsPerRound = 4000;
const regionsMax = 5;
const unit = 64;

interface Block {
  tag: number;
  offset: number;
  capacity: number;
}

/** The regions as the model sees them: 1 for 64 bytes that a block owns. */
type Owned = Map<number, Uint8Array>;

function newMemory(prng: Prng): Memory {
  return openMemory(new ArrayBuffer(65536 * prng.pick([1, 2, 4, 16])));
}

function sizeOf(prng: Prng): number {
  const pick = prng.below(10);
  if (pick < 5) return prng.below(300);
  if (pick < 8) return prng.below(8193);
  return prng.below(200_000);
}

function allocate(heap: Heap, owned: Owned, bytes: number): Block | undefined {
  if (!heap.allocate(bytes)) return undefined;
  const { tag, offset } = heap;
  const capacity = heap.capacityOf(tag, offset);
  assert.ok(capacity >= bytes, `${capacity} bytes for ${bytes}`);
  assert.equal(offset % unit, 0);
  const region = tag >>> 16;
  assert.equal(heap.memory, heap.regionMemory(region));
  const units = owned.get(region)!.subarray(offset / unit, (offset + capacity) / unit);
  assert.equal(units.length, capacity / unit, "it ends inside its region");
  assert.ok(!units.includes(1), "nobody else's bytes");
  units.fill(1);
  return { tag, offset, capacity };
}

function free(heap: Heap, owned: Owned, block: Block): void {
  assert.ok(heap.free(block.tag, block.offset), "a block in use can be freed");
  assert.ok(!heap.free(block.tag, block.offset), "and not twice");
  assert.equal(heap.capacityOf(block.tag, block.offset), 0);
  const units = owned.get(block.tag >>> 16)!;
  units.fill(0, block.offset / unit, (block.offset + block.capacity) / unit);
}

function inventedName(prng: Prng, live: readonly Block[], regions: number): [number, number] {
  const like = live.length > 0 && prng.chance(0.7) ? prng.pick(live) : undefined;
  const tag = like?.tag ?? (prng.below(regions + 1) << 16) | prng.below(20);
  const offset = like?.offset ?? prng.below(1 << 21);
  switch (prng.below(4)) {
    case 0:
      return [tag ^ (1 << prng.below(32)), offset];
    case 1:
      return [tag, (offset ^ (1 << prng.below(32))) | 0];
    case 2:
      return [tag, offset + unit * prng.between(-20, 20)];
    default:
      return [prng.next() | 0, prng.next() | 0];
  }
}

/** One round of steps 1 to 3. */
export function heapRound(prng: Prng): void {
  const firstId = prng.pick([0, 3]);
  const owned: Owned = new Map();
  const add = (id: number, memory: Memory) => {
    owned.set(id, new Uint8Array(memory.buffer.byteLength / unit));
  };
  const first = newMemory(prng);
  const heap = new Heap(firstId, first);
  add(firstId, first);
  const live: Block[] = [];
  const names: Block[] = [];
  const target = prng.pick([3, 40, 400]);

  for (let step = 0; step < stepsPerRound; step++) {
    const pick = prng.below(100);
    if (pick < 80) {
      // Swings around the target, so that slabs and regions fill up and become empty again.
      if (live.length === 0 || prng.below(2 * target) >= live.length) {
        const block = allocate(heap, owned, sizeOf(prng));
        if (block !== undefined) live.push(block);
        else if (owned.size < regionsMax) {
          const id = heap.freeRegionId();
          const memory = newMemory(prng);
          heap.addRegion(id, memory);
          add(id, memory);
        }
      } else {
        const index = prng.below(live.length);
        const block = live[index]!;
        live[index] = live[live.length - 1]!;
        live.pop();
        free(heap, owned, block);
        names.push(block);
      }
    } else if (pick < 90 && names.length > 0) {
      const { tag, offset } = prng.pick(names);
      assert.ok(!heap.free(tag, offset), "a stale name frees nothing");
      assert.equal(heap.capacityOf(tag, offset), 0);
    } else if (pick < 98) {
      const [tag, offset] = inventedName(prng, live, owned.size);
      const isLive = live.some((block) => block.tag === tag && block.offset === offset);
      if (!isLive) assert.ok(!heap.free(tag, offset), "an invented name frees nothing");
    } else {
      const id = heap.takeIdleRegion(Number.POSITIVE_INFINITY);
      assert.notEqual(id, firstId);
      if (id !== -1) {
        assert.ok(!owned.get(id)!.includes(1), "an idle region is empty");
        owned.delete(id);
      }
    }
    assert.equal(heap.usage().blocks, live.length);
  }

  for (const block of live) free(heap, owned, block);
  for (;;) {
    const id = heap.takeIdleRegion(Number.POSITIVE_INFINITY);
    if (id === -1) break;
    owned.delete(id);
  }
  assert.deepEqual([...owned.keys()], [firstId], "all other regions were idle");
  const { byteLength } = first.buffer;
  assert.deepEqual(heap.usage(), { regions: 1, regionBytes: byteLength, blocks: 0 });
  assert.ok(heap.allocate(byteLength), "the first region is one run again");
}

await fuzzMain(import.meta.url, "heap", heapRound);
