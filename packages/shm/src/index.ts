/**
 * Structures in shared memory: memory views, rings, heaps, regions, doorbells.
 *
 * @packageDocumentation
 */
export { Heap, type HeapUsage, smallBytesMax } from "./heap.ts";
export { type Memory, openMemory } from "./memory.ts";
export { RING_SLOT_BYTES, RingConsumer, RingProducer, ringBytes } from "./ring.ts";
