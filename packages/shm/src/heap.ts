/**
 * The allocator of message blocks over a growing set of shared regions.
 *
 * One process allocates from a heap: the app from its send heap, the daemon from an app's receive heap.
 * The other one only names blocks when it gives them back. Blocks up to `smallBytesMax` come from slabs
 * (64 KiB of equal slots, last freed first used), larger ones are runs of pages.
 *
 * ```
 *  heap ─┬─ region 0 (kept)     ┌ slab of 192-byte slots ┬ run ┬ slab of 2 KiB slots ┬ free ┐
 *        ├─ region 1 (on demand)└────────────────────────┴─────┴─────────────────────┴──────┘
 *        └─ …                    64 KiB, 16 pages          4 KiB pages
 *
 *  block = tag (region id << 16 | generation) and offset in the region (a multiple of 64)
 * ```
 *
 * A generation is odd while its block is in use and grows by one at each allocation and each free, so a
 * stale or invented name does not free anybody's block: `free` returns false. All bookkeeping lives in
 * private memory.
 *
 * Regions are added when one is needed and given back when they have become empty: `takeIdleRegion`.
 */
import { assert } from "@koala/interface";
import type { Memory } from "./memory.ts";
import { PAGE_BYTES, PAGE_SHIFT, PageRuns } from "./page-runs.ts";

const SLAB_PAGES = 16;
const SLAB_BYTES = SLAB_PAGES * PAGE_BYTES;
const CLASS_UNIT_SHIFT = 6;
/** Slot sizes of slabs, bytes; multiples of 64 so that blocks start on cache lines. */
const classBytes = [64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192] as const;
/** Blocks up to this size come from slabs. */
export const smallBytesMax = 8192;
const classOfUnits = new Uint8Array((smallBytesMax >> CLASS_UNIT_SHIFT) + 1);
for (let units = 0, index = 0; units < classOfUnits.length; units++) {
  while (classBytes[index]! < units << CLASS_UNIT_SHIFT) index++;
  classOfUnits[units] = index;
}
/** Region ids take 15 bits of a tag. */
const regionIdMax = 0x7fff;

interface Slab {
  readonly region: Region;
  readonly firstPage: number;
  readonly classIndex: number;
  readonly slotBytes: number;
  readonly freeSlots: Uint16Array;
  freeCount: number;
  readonly generations: Uint16Array;
  /** Whether it is in the class's list of slabs with free slots. */
  listed: boolean;
}

interface Region {
  readonly id: number;
  readonly bytes: number;
  readonly memory: Memory;
  readonly runs: PageRuns;
  readonly slabs: (Slab | undefined)[];
  readonly generations: Uint16Array;
  /** When it became empty (`Date.now`), 0 while it is not. */
  emptySince: number;
}

/** What a heap holds, for status and tests. */
export interface HeapUsage {
  regions: number;
  regionBytes: number;
  /** Blocks handed out and not freed. */
  blocks: number;
}

export class Heap {
  /** The block of the last successful `allocate`. */
  tag = 0;
  offset = 0;
  memory: Memory;

  private readonly regions: (Region | undefined)[] = [];
  private readonly partial: Slab[][] = classBytes.map(() => []);
  private blocks = 0;
  private regionBytes = 0;

  constructor(firstId: number, first: Memory) {
    this.memory = first;
    this.addRegion(firstId, first);
  }

  /**
   * Takes a block of at least so many bytes and leaves its name in `tag`, `offset` and `memory`; false
   * when no region has room, which is the owner's cue to add one.
   */
  allocate(bytes: number): boolean {
    if (bytes > smallBytesMax) return this.allocateRun((bytes + PAGE_BYTES - 1) >> PAGE_SHIFT);
    const classIndex = classOfUnits[(bytes + 63) >> CLASS_UNIT_SHIFT]!;
    const slabs = this.partial[classIndex]!;
    let slab = slabs[slabs.length - 1];
    if (slab === undefined) {
      slab = this.openSlab(classIndex);
      if (slab === undefined) return false;
    }
    const slot = slab.freeSlots[--slab.freeCount]!;
    if (slab.freeCount === 0) {
      slabs.pop();
      slab.listed = false;
    }
    const generation = (slab.generations[slot]! + 1) & 0xffff;
    slab.generations[slot] = generation;
    this.tag = (slab.region.id << 16) | generation;
    this.offset = slab.firstPage * PAGE_BYTES + slot * slab.slotBytes;
    this.memory = slab.region.memory;
    this.blocks++;
    return true;
  }

  /** Gives a block back; false when there is no such block in use, which only a bug or an attack does. */
  free(tag: number, offset: number): boolean {
    const region = this.regions[tag >>> 16];
    if (region === undefined || offset < 0 || offset >= region.bytes || (offset & 63) !== 0)
      return false;
    const page = offset >> PAGE_SHIFT;
    const slab = region.slabs[page];
    return slab === undefined
      ? this.freeRun(region, page, offset, tag & 0xffff)
      : this.freeSlot(slab, offset, tag & 0xffff);
  }

  /** Bytes that the block may hold; 0 when there is no such block in use. */
  capacityOf(tag: number, offset: number): number {
    const region = this.regions[tag >>> 16];
    if (region === undefined || offset < 0 || offset >= region.bytes) return 0;
    const page = offset >> PAGE_SHIFT;
    const slab = region.slabs[page];
    if (slab !== undefined) return slab.slotBytes;
    return region.runs.startsUsedRun(page) ? region.runs.pagesOf(page) * PAGE_BYTES : 0;
  }

  /** Makes a region's memory available. Its size must be a multiple of 64 KiB. */
  addRegion(id: number, memory: Memory): void {
    const bytes = memory.buffer.byteLength;
    assert(bytes % SLAB_BYTES === 0, "a region is a multiple of 64 KiB");
    assert(id >= 0 && id <= regionIdMax && this.regions[id] === undefined, "region ids are unique");
    const pageCount = bytes / PAGE_BYTES;
    this.regions[id] = {
      id,
      bytes,
      memory,
      runs: new PageRuns(pageCount),
      slabs: new Array(pageCount).fill(undefined),
      generations: new Uint16Array(pageCount),
      emptySince: 0,
    };
    this.regionBytes += bytes;
  }

  /** The memory of a region, for whoever must read or unmap it. */
  regionMemory(id: number): Memory | undefined {
    return this.regions[id]?.memory;
  }

  /** The smallest id that no region has; -1 when ids have run out. */
  freeRegionId(): number {
    for (let id = 0; id <= regionIdMax; id++) if (this.regions[id] === undefined) return id;
    return -1;
  }

  /** True while a region other than the first is empty. */
  hasEmptyRegion(): boolean {
    return this.regions.some((region) => region !== undefined && region.emptySince !== 0);
  }

  /**
   * Takes a region out that has been empty since `moment` (as of `Date.now`) or before and returns its
   * id, -1 when there is none. The first region stays. The caller unmaps it and tells the other side.
   */
  takeIdleRegion(moment: number): number {
    for (const region of this.regions) {
      if (region === undefined || region.emptySince === 0 || region.emptySince > moment) continue;
      this.regions[region.id] = undefined;
      this.regionBytes -= region.bytes;
      return region.id;
    }
    return -1;
  }

  usage(): HeapUsage {
    const regions = this.regions.filter((region) => region !== undefined).length;
    return { regions, regionBytes: this.regionBytes, blocks: this.blocks };
  }

  private allocateRun(pages: number): boolean {
    for (const region of this.regions) {
      if (region === undefined) continue;
      const page = region.runs.allocate(pages);
      if (page === -1) continue;
      region.emptySince = 0;
      const generation = (region.generations[page]! + 1) & 0xffff;
      region.generations[page] = generation;
      this.tag = (region.id << 16) | generation;
      this.offset = page * PAGE_BYTES;
      this.memory = region.memory;
      this.blocks++;
      return true;
    }
    return false;
  }

  private freeRun(region: Region, page: number, offset: number, generation: number): boolean {
    if ((offset & (PAGE_BYTES - 1)) !== 0 || !region.runs.startsUsedRun(page)) return false;
    if (region.generations[page] !== generation || (generation & 1) === 0) return false;
    region.generations[page] = (generation + 1) & 0xffff;
    region.runs.free(page);
    this.blocks--;
    this.noteEmpty(region);
    return true;
  }

  private freeSlot(slab: Slab, offset: number, generation: number): boolean {
    const within = offset - slab.firstPage * PAGE_BYTES;
    const slot = Math.floor(within / slab.slotBytes);
    if (slot * slab.slotBytes !== within || slot >= slab.generations.length) return false;
    if (slab.generations[slot] !== generation || (generation & 1) === 0) return false;
    slab.generations[slot] = (generation + 1) & 0xffff;
    slab.freeSlots[slab.freeCount++] = slot;
    this.blocks--;
    if (slab.freeCount === slab.freeSlots.length) this.closeSlabIfSpare(slab);
    else if (!slab.listed) this.list(slab);
    return true;
  }

  private list(slab: Slab): void {
    slab.listed = true;
    this.partial[slab.classIndex]!.push(slab);
  }

  private openSlab(classIndex: number): Slab | undefined {
    for (const region of this.regions) {
      if (region === undefined) continue;
      const firstPage = region.runs.allocate(SLAB_PAGES);
      if (firstPage === -1) continue;
      region.emptySince = 0;
      const slotBytes = classBytes[classIndex]!;
      const slots = Math.floor(SLAB_BYTES / slotBytes);
      // A slab that takes over pages goes on with their generations, so that names stay stale.
      const start = (region.generations[firstPage]! + 1) & 0xfffe;
      const slab: Slab = {
        region,
        firstPage,
        classIndex,
        slotBytes,
        freeSlots: Uint16Array.from({ length: slots }, (_, i) => slots - 1 - i),
        freeCount: slots,
        generations: new Uint16Array(slots).fill(start),
        listed: false,
      };
      region.slabs.fill(slab, firstPage, firstPage + SLAB_PAGES);
      this.list(slab);
      return slab;
    }
    return undefined;
  }

  /** An empty slab goes back, unless it is the last one of its class in the region that stays. */
  private closeSlabIfSpare(slab: Slab): void {
    const slabs = this.partial[slab.classIndex]!;
    const others = slabs.length - (slab.listed ? 1 : 0);
    if (others === 0 && slab.region.id === 0) {
      if (!slab.listed) this.list(slab);
      return;
    }
    if (slab.listed) slabs.splice(slabs.indexOf(slab), 1);
    const { region, firstPage } = slab;
    region.slabs.fill(undefined, firstPage, firstPage + SLAB_PAGES);
    const newest = slab.generations.reduce((a, b) => Math.max(a, b), 0);
    region.generations.fill((newest + 1) & 0xfffe, firstPage, firstPage + SLAB_PAGES);
    region.runs.free(firstPage);
    this.noteEmpty(region);
  }

  private noteEmpty(region: Region): void {
    if (region.id !== 0 && region.runs.usedPages === 0) region.emptySince = Date.now();
  }
}
