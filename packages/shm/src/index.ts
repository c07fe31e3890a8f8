/**
 * Structures in shared memory: memory views, rings, heaps, regions.
 *
 * @packageDocumentation
 */
export { Heap, type HeapUsage, smallBytesMax } from "./heap.ts";
export { type Memory, openMemory } from "./memory.ts";
export {
  closeRegion,
  createRegion,
  mapRegion,
  REGION_BYTES_MAX,
  REGION_UNIT_BYTES,
  type Region,
  type RegionOptions,
} from "./region.ts";
export { RING_SLOT_BYTES, RingConsumer, RingProducer, ringBytes } from "./ring.ts";
