/**
 * Structures in shared memory: memory views, rings, heaps, regions.
 *
 * @packageDocumentation
 */
export { Heap, type HeapUsage } from "./heap.ts";
export { smallBytesMax } from "./heap-region.ts";
export { type Memory, openMemory } from "./memory.ts";
export {
  closeRegion,
  createRegion,
  mapRegion,
  REGION_BYTES_MAX,
  REGION_UNIT_BYTES,
  type Region,
  type RegionOptions,
  releaseRegion,
} from "./region.ts";
export {
  RING_HEAD_OFFSET,
  RING_HEADER_BYTES,
  RING_SLEEPING_OFFSET,
  RING_SLOT_BYTES,
  RING_TAIL_OFFSET,
  RING_WAITING_OFFSET,
  RingConsumer,
  RingProducer,
  ringBytes,
} from "./ring.ts";
export { sealedBytes } from "./sealed-bytes.ts";
export { SpinHistory, Spinner, type SpinOptions } from "./spinner.ts";
export {
  readTraceFile,
  type TraceFile,
  type TraceNote,
  TracePoint,
  TracePoints,
  tracePoints,
} from "./trace-points.ts";
export { type Mechanisms, readWithout, without } from "./without.ts";
