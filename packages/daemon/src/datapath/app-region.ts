/**
 * The one region that every app has from the start: region 0 of its send heap, and behind that its rings. One
 * memfd instead of two, because an idle app should cost as few descriptors and mappings as can be.
 */
import { type Memory, ringBytes } from "@koala/shm";

/** Regions of heaps are multiples of this, bytes. */
const unit = 64 * 1024;

/** Size of the region for rings of so many slots behind so many bytes of heap. */
export function appRegionBytes(heapBytes: number, ringSlots: number): number {
  return heapBytes + Math.ceil((2 * ringBytes(ringSlots)) / unit) * unit;
}

/** Where the rings begin, which is where the heap ends. */
export function ringsOffsetIn(region: Memory, ringSlots: number): number {
  return region.buffer.byteLength - appRegionBytes(0, ringSlots);
}
