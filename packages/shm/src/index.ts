/**
 * Structures in shared memory: memory views, rings, heaps, regions, doorbells.
 *
 * @packageDocumentation
 */
export { type Memory, openMemory } from "./memory.ts";
