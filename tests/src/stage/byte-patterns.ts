/** Bytes to send and to compare. */
import assert from "node:assert/strict";

/** Bytes that differ from place to place, so that nothing can be mixed up unseen. */
export function pattern(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + seed) & 0xff;
  return bytes;
}

/** `deepEqual` of megabytes takes seconds to say no. */
export function assertBytes(found: Uint8Array, expected: Uint8Array): void {
  assert.ok(Buffer.compare(found, expected) === 0, `${found.length} bytes differ`);
}
