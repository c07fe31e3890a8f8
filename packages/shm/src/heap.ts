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
 * stale or invented name does not free anybody's block: `free` returns false. Generations outlive slabs,
 * runs and regions: whatever takes over a place goes on from the highest one there, so a name comes back
 * only after 32,768 uses of its place. All bookkeeping lives in private memory.
 *
 * The last slab of a class stays when it is empty (spare), so that one message after the other does not
 * open and close a slab each time; spare slabs go when their pages are needed or their region is idle.
 * Regions are added when one is needed and given back when they have become empty: `takeIdleRegion`.
 */
import { assert } from "@koala/interface";
import {
  classBytes,
  classOf,
  createHeapRegion,
  createSlab,
  forEachUsedIn,
  type HeapRegion,
  isRun,
  newestGeneration,
  regionIdMax,
  SLAB_BYTES,
  SLAB_PAGES,
  type Slab,
  slotOf,
  smallBytesMax,
} from "./heap-region.ts";
import { type Memory, openMemory } from "./memory.ts";
import { PAGE_BYTES, PAGE_SHIFT } from "./page-runs.ts";

const nothing = openMemory(new ArrayBuffer(8));

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

  /** The region that is never given back. */
  private readonly firstId: number;
  private readonly regions: (HeapRegion | undefined)[] = [];
  /** By region id: where the generations of a region with this id go on. */
  private readonly generationFloors: number[];
  private readonly partial: Slab[][] = classBytes.map(() => []);
  private blocks = 0;
  private regionBytes = 0;
  /** The first region while no block has been asked for: bookkeeping of a heap that nobody uses is saved. */
  private dormant: Memory | null;
  /** Of the first region; what lies behind is not the heap's. */
  private readonly firstBytes: number;

  /**
   * `first`: null when it is added later. `generations`: what `generationsOf` an earlier heap said, when this
   * one continues its region ids. `firstBytes`: how much of the first region is the heap's, all by default.
   */
  constructor(
    firstId: number,
    first: Memory | null,
    generations: readonly number[] = [],
    firstBytes: number = first?.buffer.byteLength ?? 0,
  ) {
    this.generationFloors = [...generations];
    this.firstId = firstId;
    this.memory = first ?? nothing;
    this.dormant = first;
    this.firstBytes = firstBytes;
    if (first !== null) this.regionBytes = firstBytes;
  }

  /**
   * Takes a block of at least so many bytes and leaves its name in `tag`, `offset` and `memory`; false
   * when no region has room, which is the owner's cue to add one.
   */
  allocate(bytes: number): boolean {
    if (bytes > smallBytesMax) return this.allocateRun(Math.ceil(bytes / PAGE_BYTES));
    const classIndex = classOf(bytes);
    const slabs = this.partial[classIndex]!;
    let slab = slabs[slabs.length - 1];
    if (slab === undefined) {
      slab = this.openSlab(classIndex);
      if (slab === undefined && this.closeAllSpares()) slab = this.openSlab(classIndex);
      if (slab === undefined) return false;
    } else if (slab.spare) this.useSpare(slab);
    const slot = slab.freeSlots[--slab.freeCount]!;
    if (slab.freeCount === 0) {
      slabs.pop();
      slab.listed = false;
    }
    const generation = slab.generations[slot]! + 1;
    slab.generations[slot] = generation;
    this.tag = (slab.region.id << 16) | (generation & 0xffff);
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
    if (region === undefined || offset < 0 || offset >= region.bytes || (offset & 63) !== 0)
      return 0;
    const page = offset >> PAGE_SHIFT;
    const slab = region.slabs[page];
    if (slab !== undefined) {
      return slotOf(slab, offset, tag & 0xffff) === -1 ? 0 : slab.slotBytes;
    }
    return isRun(region, page, offset, tag & 0xffff) ? region.runs.pagesOf(page) * PAGE_BYTES : 0;
  }

  /** Makes a region's memory available. Its size must be a multiple of 64 KiB. */
  addRegion(id: number, memory: Memory): void {
    this.wake();
    this.open(id, memory, memory.buffer.byteLength);
  }

  private open(id: number, memory: Memory, bytes: number): void {
    assert(bytes > 0 && bytes % SLAB_BYTES === 0, "a region is a multiple of 64 KiB");
    assert(id >= 0 && id <= regionIdMax && this.regions[id] === undefined, "region ids are unique");
    const region = createHeapRegion(id, memory, bytes, this.generationFloors[id] ?? 0);
    if (id !== this.firstId) region.emptySince = Date.now();
    this.regions[id] = region;
    this.regionBytes += bytes;
  }

  /** The memory of a region, for whoever must read or unmap it. */
  regionMemory(id: number): Memory | undefined {
    if (id === this.firstId && this.dormant !== null) return this.dormant;
    return this.regions[id]?.memory;
  }

  /** The smallest id that no region has; -1 when ids have run out. */
  freeRegionId(): number {
    this.wake();
    for (let id = 0; id <= regionIdMax; id++) if (this.regions[id] === undefined) return id;
    return -1;
  }

  /** True while a region other than the first is empty. */
  hasEmptyRegion(): boolean {
    return this.regions.some((region) => region !== undefined && region.emptySince !== 0);
  }

  /**
   * Takes a region out that has been empty since `moment` (as of `Date.now`) or before and returns its
   * id, -1 when there is none. The first region stays. The caller unmaps it and tells the other side. An
   * added region counts as empty from the start, so one that was never used goes, too.
   */
  takeIdleRegion(moment: number): number {
    for (const region of this.regions) {
      if (region === undefined || region.emptySince === 0 || region.emptySince > moment) continue;
      this.closeSpares(region);
      this.generationFloors[region.id] = newestGeneration(region);
      this.regions[region.id] = undefined;
      this.regionBytes -= region.bytes;
      return region.id;
    }
    return -1;
  }

  usage(): HeapUsage {
    const used = this.regions.filter((region) => region !== undefined).length;
    const regions = this.dormant === null ? used : used + 1;
    return { regions, regionBytes: this.regionBytes, blocks: this.blocks };
  }

  /** Calls back for each block in use; for rare events such as handing over what is known of them. */
  forEachUsed(visit: (regionId: number, tag: number, offset: number) => void): void {
    for (const region of this.regions) {
      if (region === undefined) continue;
      forEachUsedIn(region, (offset, generation) => {
        visit(region.id, (region.id << 16) | (generation & 0xffff), offset);
      });
    }
  }

  /** By region id, where the generations of a heap go on that uses the same ids. */
  generationsOf(): number[] {
    const floors = [...this.generationFloors];
    for (const region of this.regions) {
      if (region !== undefined) floors[region.id] = newestGeneration(region);
    }
    return Array.from(floors, (floor) => floor ?? 0);
  }

  private allocateRun(pages: number): boolean {
    if (this.tryRun(pages)) return true;
    return this.closeAllSpares() && this.tryRun(pages);
  }

  /** The first region is needed, or has to be told from others. */
  private wake(): void {
    const first = this.dormant;
    if (first === null) return;
    this.dormant = null;
    this.regionBytes = 0;
    this.open(this.firstId, first, this.firstBytes);
  }

  private tryRun(pages: number): boolean {
    this.wake();
    for (const region of this.regions) {
      if (region === undefined) continue;
      const page = region.runs.allocate(pages);
      if (page === -1) continue;
      region.emptySince = 0;
      const generation = region.generations[page]! + 1;
      region.generations[page] = generation;
      this.tag = (region.id << 16) | (generation & 0xffff);
      this.offset = page * PAGE_BYTES;
      this.memory = region.memory;
      this.blocks++;
      return true;
    }
    return false;
  }

  private freeRun(region: HeapRegion, page: number, offset: number, generation: number): boolean {
    if (!isRun(region, page, offset, generation)) return false;
    region.generations[page]! += 1;
    region.runs.free(page);
    this.blocks--;
    this.noteEmpty(region);
    return true;
  }

  private freeSlot(slab: Slab, offset: number, generation: number): boolean {
    const slot = slotOf(slab, offset, generation);
    if (slot === -1) return false;
    slab.generations[slot]! += 1;
    slab.freeSlots[slab.freeCount++] = slot;
    this.blocks--;
    if (!slab.listed) this.list(slab);
    if (slab.freeCount === slab.freeSlots.length) this.keepOrClose(slab);
    return true;
  }

  private list(slab: Slab): void {
    slab.listed = true;
    this.partial[slab.classIndex]!.push(slab);
  }

  private openSlab(classIndex: number): Slab | undefined {
    this.wake();
    for (const region of this.regions) {
      if (region === undefined) continue;
      const firstPage = region.runs.allocate(SLAB_PAGES);
      if (firstPage === -1) continue;
      region.emptySince = 0;
      const slab = createSlab(region, firstPage, classIndex);
      region.slabs.fill(slab, firstPage, firstPage + SLAB_PAGES);
      this.list(slab);
      return slab;
    }
    return undefined;
  }

  /**
   * An empty slab stays as a spare one if its class has no other with free slots; outside the first region
   * only while that has no room, so that traffic moves back there and the other regions become idle.
   */
  private keepOrClose(slab: Slab): void {
    const { region } = slab;
    const isOnly = this.partial[slab.classIndex]!.length === 1;
    if (!isOnly || (region.id !== this.firstId && this.firstHasRoom())) {
      this.closeSlab(slab);
      return;
    }
    slab.spare = true;
    region.sparePages += SLAB_PAGES;
    this.noteEmpty(region);
  }

  private firstHasRoom(): boolean {
    return this.regions[this.firstId]!.runs.hasRun(SLAB_PAGES);
  }

  private useSpare(slab: Slab): void {
    slab.spare = false;
    slab.region.sparePages -= SLAB_PAGES;
    slab.region.emptySince = 0;
  }

  /** Spare slabs may hold the pages that are missing, or keep two free runs apart. */
  private closeAllSpares(): boolean {
    let closed = false;
    for (const region of this.regions) {
      if (region === undefined || region.sparePages === 0) continue;
      this.closeSpares(region);
      closed = true;
    }
    return closed;
  }

  private closeSpares(region: HeapRegion): void {
    for (const slabs of this.partial) {
      for (const slab of slabs.filter((each) => each.spare && each.region === region)) {
        region.sparePages -= SLAB_PAGES;
        this.closeSlab(slab);
      }
    }
  }

  /** Gives the pages of an empty slab back. */
  private closeSlab(slab: Slab): void {
    const slabs = this.partial[slab.classIndex]!;
    slabs.splice(slabs.indexOf(slab), 1);
    const { region, firstPage } = slab;
    region.slabs.fill(undefined, firstPage, firstPage + SLAB_PAGES);
    const newest = slab.generations.reduce((a, b) => Math.max(a, b), 0);
    region.generations.fill(newest, firstPage, firstPage + SLAB_PAGES);
    region.runs.free(firstPage);
    this.noteEmpty(region);
  }

  private noteEmpty(region: HeapRegion): void {
    if (region.id === this.firstId || region.emptySince !== 0) return;
    if (region.runs.usedPages === region.sparePages) region.emptySince = Date.now();
  }
}
