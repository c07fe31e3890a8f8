/**
 * Copies bytes between two memories. Offsets are multiples of 8, and so is the room at both ends, so
 * small pieces go word by word: below about 200 bytes that beats `copy`, which makes an object first.
 */
import type { Memory } from "@koala/shm";

const wordsMax = 48;

export function copyBytes(
  source: Memory,
  sourceOffset: number,
  target: Memory,
  targetOffset: number,
  length: number,
): void {
  const words = (length + 3) >> 2;
  if (words > wordsMax) {
    source.node.copy(target.node, targetOffset, sourceOffset, sourceOffset + length);
    return;
  }
  const from = source.i32;
  const to = target.i32;
  const fromIndex = sourceOffset >> 2;
  const toIndex = targetOffset >> 2;
  for (let i = 0; i < words; i++) to[toIndex + i] = from[fromIndex + i]!;
}
