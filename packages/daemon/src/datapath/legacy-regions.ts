/**
 * Receive regions of an earlier engine of the same app. Nobody writes them any more, and this engine does
 * not even map them: it only remembers which blocks the app has yet to give back, and has a region unmapped
 * over there when the last one is back.
 */
import type { LegacyRegion } from "./endpoint-state.ts";

interface Remembered {
  readonly bytes: number;
  readonly blocks: Set<number>;
}

export class LegacyRegions {
  /** Of all of them. */
  bytes = 0;
  private readonly regions = new Map<number, Remembered>();
  private readonly onEmpty: (id: number) => void;

  /** `onEmpty` is told when the last block of a region is back; the region is forgotten then. */
  constructor(saved: readonly LegacyRegion[], onEmpty: (id: number) => void) {
    this.onEmpty = onEmpty;
    for (const { id, bytes, blocks } of saved) {
      const keys = new Set<number>();
      for (let i = 0; i < blocks.length; i += 2) keys.add(keyOf(blocks[i]!, blocks[i + 1]!));
      this.regions.set(id, { bytes, blocks: keys });
      this.bytes += bytes;
    }
  }

  get size(): number {
    return this.regions.size;
  }

  /** Blocks that have not come back. */
  get blocks(): number {
    let count = 0;
    for (const region of this.regions.values()) count += region.blocks.size;
    return count;
  }

  has(id: number): boolean {
    return this.regions.has(id);
  }

  /** The app gives a block back; false when it has none of that name. */
  free(tag: number, offset: number): boolean {
    const id = tag >>> 16;
    const region = this.regions.get(id);
    if (region === undefined || !region.blocks.delete(keyOf(tag, offset))) return false;
    if (region.blocks.size === 0) this.forget(id, region);
    return true;
  }

  /** Forgets the regions of which no block is out. */
  dropEmpty(): void {
    for (const [id, region] of this.regions) if (region.blocks.size === 0) this.forget(id, region);
  }

  save(): LegacyRegion[] {
    return [...this.regions].map(([id, { bytes, blocks }]) => ({
      id,
      bytes,
      blocks: Int32Array.from([...blocks].flatMap((key) => [tagOf(id, key), offsetOf(key)])),
    }));
  }

  private forget(id: number, { bytes }: Remembered): void {
    this.regions.delete(id);
    this.bytes -= bytes;
    this.onEmpty(id);
  }
}

/** One number for a block of a region: offsets have 31 bits, generations 16. */
function keyOf(tag: number, offset: number): number {
  return offset * 0x10000 + (tag & 0xffff);
}

function tagOf(id: number, key: number): number {
  return (id << 16) | (key % 0x10000);
}

function offsetOf(key: number): number {
  return Math.floor(key / 0x10000);
}
