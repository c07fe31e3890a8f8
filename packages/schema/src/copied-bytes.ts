/** Copies of `bytes` fields: what a message keeps when the memory that it was read from is given back. */
import { markAsUntransferable } from "node:worker_threads";

/** Up to here a loop is faster than a native call. */
const loopBytesMax = 16;
/** V8 keeps arrays of up to 64 bytes inside their objects; larger ones get memory of their own, which costs ten times as much. */
const ownBytesMax = 64;
/** From here on memory of its own is worth its price, and would leave too much of a slab unused. */
const sharedBytesMax = 2048;
const slabBytes = 16_384;

let slab: Uint8Array = new Uint8Array(0);
let used = 0;

/**
 * A copy of `length` bytes at `start`. As with Node's `Buffer`, those of middle length share an `ArrayBuffer` with
 * others: `.buffer` of the copy may be larger than the copy, and can't be transferred to another thread.
 */
export function copiedBytes(from: Uint8Array, start: number, length: number): Uint8Array {
  if (length <= loopBytesMax) {
    const copy = new Uint8Array(length);
    for (let i = 0; i < length; i++) copy[i] = from[start + i]!;
    return copy;
  }
  if (length <= ownBytesMax || length > sharedBytesMax) return from.slice(start, start + length);
  if (used + length > slab.length) {
    slab = new Uint8Array(slabBytes);
    markAsUntransferable(slab.buffer);
    used = 0;
  }
  const at = used;
  // The next one begins at a multiple of 8, so that no user's word is torn.
  used = (at + length + 7) & ~7;
  slab.set(from.subarray(start, start + length), at);
  return new Uint8Array(slab.buffer, at, length);
}
