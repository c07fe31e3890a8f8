/**
 * One region as the heap keeps it: free and used runs of pages, the slabs among them, and generations.
 */
import type { Memory } from "./memory.ts";
import { PAGE_BYTES, PageRuns } from "./page-runs.ts";

export const SLAB_PAGES = 16;
export const SLAB_BYTES: number = SLAB_PAGES * PAGE_BYTES;
/** Region ids take 15 bits of a tag. */
export const regionIdMax = 0x7fff;

const CLASS_UNIT_SHIFT = 6;
/** Slot sizes of slabs, bytes; multiples of 64 so that blocks start on cache lines. */
export const classBytes: readonly number[] = [
  64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192,
];
/** Blocks up to this size come from slabs. */
export const smallBytesMax = 8192;
const classOfUnits = new Uint8Array((smallBytesMax >> CLASS_UNIT_SHIFT) + 1);
for (let units = 0, index = 0; units < classOfUnits.length; units++) {
  while (classBytes[index]! < units << CLASS_UNIT_SHIFT) index++;
  classOfUnits[units] = index;
}

/** 64 KiB of equal slots. */
export interface Slab {
  readonly region: HeapRegion;
  readonly firstPage: number;
  readonly classIndex: number;
  readonly slotBytes: number;
  /** A stack of `freeCount` slots. */
  readonly freeSlots: Uint16Array;
  freeCount: number;
  /** Counted in 32 bits; a tag carries the lower 16. */
  readonly generations: Uint32Array;
  /** Whether it is in the class's list of slabs with free slots. */
  listed: boolean;
  /** Whether it is kept although it is empty. */
  spare: boolean;
}

export interface HeapRegion {
  readonly id: number;
  readonly bytes: number;
  readonly memory: Memory;
  readonly runs: PageRuns;
  /** By page: the slab that it belongs to. */
  readonly slabs: (Slab | undefined)[];
  /** One for each page: of the run that starts there, or started there last. */
  readonly generations: Uint32Array;
  /** Pages in spare slabs. */
  sparePages: number;
  /** When it became empty (`Date.now`), 0 while it is not. */
  emptySince: number;
}

/** The class of blocks of so many bytes, up to `smallBytesMax`. */
export function classOf(bytes: number): number {
  return classOfUnits[(bytes + 63) >> CLASS_UNIT_SHIFT]!;
}

/** A region with nothing in its first `bytes`, whose generations go on from `generation` (even). */
export function createHeapRegion(
  id: number,
  memory: Memory,
  bytes: number,
  generation: number,
): HeapRegion {
  const pageCount = bytes / PAGE_BYTES;
  return {
    id,
    bytes,
    memory,
    runs: new PageRuns(pageCount),
    slabs: new Array(pageCount).fill(undefined),
    generations: new Uint32Array(pageCount).fill(generation),
    sparePages: 0,
    emptySince: 0,
  };
}

/** A slab with all slots free, in a run of `SLAB_PAGES` that the caller has allocated. */
export function createSlab(region: HeapRegion, firstPage: number, classIndex: number): Slab {
  const slotBytes = classBytes[classIndex]!;
  const slots = Math.floor(SLAB_BYTES / slotBytes);
  return {
    region,
    firstPage,
    classIndex,
    slotBytes,
    freeSlots: Uint16Array.from({ length: slots }, (_, i) => slots - 1 - i),
    freeCount: slots,
    // Blocks of other sizes lay here before, so every slot begins above all of them.
    generations: new Uint32Array(slots).fill(newestOf(region, firstPage)),
    listed: false,
    spare: false,
  };
}

/** The highest generation in the pages of a slab; even, since nothing there is in use. */
function newestOf(region: HeapRegion, firstPage: number): number {
  let newest = 0;
  for (let page = firstPage; page < firstPage + SLAB_PAGES; page++) {
    newest = Math.max(newest, region.generations[page]!);
  }
  return newest;
}

/** The slot that a name means; -1 when it is not in use under that name. */
export function slotOf(slab: Slab, offset: number, generation: number): number {
  const within = offset - slab.firstPage * PAGE_BYTES;
  const slot = Math.floor(within / slab.slotBytes);
  if (slot * slab.slotBytes !== within || slot >= slab.generations.length) return -1;
  return (generation & 1) === 1 && (slab.generations[slot]! & 0xffff) === generation ? slot : -1;
}

/** Whether a name means a run that is in use. */
export function isRun(
  region: HeapRegion,
  page: number,
  offset: number,
  generation: number,
): boolean {
  return (
    (offset & (PAGE_BYTES - 1)) === 0 &&
    region.runs.startsUsedRun(page) &&
    (generation & 1) === 1 &&
    (region.generations[page]! & 0xffff) === generation
  );
}

/** Offset and generation of each block of a region that is in use. */
export function forEachUsedIn(
  region: HeapRegion,
  visit: (offset: number, generation: number) => void,
): void {
  for (let page = 0; page < region.generations.length; page++) {
    const slab = region.slabs[page];
    if (slab === undefined) {
      if (region.runs.startsUsedRun(page)) visit(page * PAGE_BYTES, region.generations[page]!);
      continue;
    }
    if (slab.firstPage !== page) continue;
    for (let slot = 0; slot < slab.generations.length; slot++) {
      const generation = slab.generations[slot]!;
      if ((generation & 1) === 1) visit(page * PAGE_BYTES + slot * slab.slotBytes, generation);
    }
  }
}

/** The highest generation of all blocks of a region, those in use rounded up to the next even number. */
export function newestGeneration(region: HeapRegion): number {
  let newest = region.generations.reduce((a, b) => Math.max(a, b), 0);
  for (const slab of new Set(region.slabs)) {
    if (slab !== undefined) newest = slab.generations.reduce((a, b) => Math.max(a, b), newest);
  }
  return newest + (newest & 1);
}
