/**
 * The regions that the daemon writes and this app may only read. Writing to a view of them kills the
 * process, which is what makes them safe to hand out.
 */
import { closeFd } from "@koala/native";
import { closeRegion, type Memory, mapRegion, releaseRegion } from "@koala/shm";

export class ReceiveHeap {
  private readonly regions: (Memory | undefined)[] = [];

  addRegion(id: number, fd: number, bytes: number): void {
    try {
      this.regions[id] = mapRegion(fd, bytes, false);
    } finally {
      closeFd(fd);
    }
  }

  /** The region of a block; undefined when the daemon has not sent it (yet). */
  memoryOf(tag: number): Memory | undefined {
    return this.regions[tag >>> 16];
  }

  /** The daemon has closed the region and no block of it is in use. */
  dropRegion(id: number): void {
    const memory = this.regions[id];
    if (memory === undefined) return;
    this.regions[id] = undefined;
    closeRegion(memory);
  }

  /** The connection is gone. With views in use the mappings are left to the collector. */
  close(hasViews: boolean): void {
    for (const memory of this.regions) {
      if (memory === undefined) continue;
      if (hasViews) releaseRegion(memory);
      else closeRegion(memory);
    }
    this.regions.length = 0;
  }
}
