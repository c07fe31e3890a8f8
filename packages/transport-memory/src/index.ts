/**
 * Pipes of bytes inside one process: between two runtime threads of a daemon, and in place of a network
 * in tests.
 *
 * @example
 * const { a, b } = createMemoryPair({ bytes: 65536 });
 * const connection = openMemoryEnd(a);
 * worker.postMessage(b); // there: openMemoryEnd(b)
 *
 * @packageDocumentation
 */
export { createMemoryTransport, type MemoryOptions } from "./memory.ts";
export { openMemoryEnd } from "./memory-connection.ts";
export {
  createMemoryPair,
  type MemoryEnd,
  type MemoryPair,
  type MemoryPairOptions,
} from "./memory-pair.ts";
