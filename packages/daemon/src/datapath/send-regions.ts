/**
 * The regions of one app's send heap as the daemon sees them, and the check of everything a slot says
 * about them. Apps write these regions at any time, so each number is read once and checked before use.
 */

import { closeFd } from "@koala/native";
import {
  padTo8,
  SEGMENT_ROW_BYTES,
  SEGMENTS_MAX,
  SlotFlag,
  statusDetailsBytesMax,
  statusMessageBytesMax,
  TRACE_BYTES,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_DETAILS_LENGTH,
  W_INLINE_LENGTH,
  W_KIND,
  W_MESSAGE_LENGTH,
  W_METADATA_LENGTH,
  W_SEGMENT_BYTES,
  W_SEGMENT_COUNT,
} from "@koala/protocol";
import { closeRegion, type Memory, mapRegion } from "@koala/shm";
import type { Body } from "./body.ts";
import type { BlockOwner } from "./call.ts";
import type { SendRegionState } from "./endpoint-state.ts";

export interface SendRegion {
  readonly fd: number;
  readonly memory: Memory;
}

/** The first region, which belongs to the app's host: the rings lie behind it. */
export const firstSendRegion = 0;

export class SendRegions {
  bytes = 0;
  private readonly regions: (SendRegion | undefined)[] = [];
  private readonly retired: SendRegion[] = [];
  private readonly metadataBytesMax: number;

  private readonly owner: BlockOwner;

  /** `first`: the region that begins with `firstBytes` of heap. */
  constructor(owner: BlockOwner, metadataBytesMax: number, first: Memory, firstBytes: number) {
    this.owner = owner;
    this.metadataBytesMax = metadataBytesMax;
    this.regions[firstSendRegion] = { fd: -1, memory: first };
    this.bytes = firstBytes;
  }

  get count(): number {
    return this.regions.filter((region) => region !== undefined).length;
  }

  get(id: number): SendRegion | undefined {
    return this.regions[id];
  }

  add(id: number, region: SendRegion): void {
    this.regions[id] = region;
    this.bytes += region.memory.buffer.byteLength;
  }

  freeId(): number {
    const hole = this.regions.indexOf(undefined);
    return hole >= 0 ? hole : this.regions.length;
  }

  /**
   * Takes a region away from the app; false when there is none with this id. While `inUse`, output may
   * still refer to it, whatever the app says: then it stays mapped, and counts, until `closeRetired`.
   */
  remove(id: number, inUse: boolean): boolean {
    const region = this.regions[id];
    if (region === undefined || id === firstSendRegion) return false;
    this.regions[id] = undefined;
    this.retired.push(region);
    if (!inUse) this.closeRetired();
    return true;
  }

  /** Nothing refers to this heap any more: unmaps what was taken away. */
  closeRetired(): void {
    for (const region of this.retired.splice(0)) {
      this.bytes -= region.memory.buffer.byteLength;
      closeRegion(region.memory);
      closeFd(region.fd);
    }
  }

  /** What a successor has to know, but for the first region, which stays where it is. */
  save(): SendRegionState[] {
    return this.regions.flatMap((region, id): SendRegionState[] =>
      region === undefined || id === firstSendRegion
        ? []
        : [{ id, fd: region.fd, bytes: region.memory.buffer.byteLength }],
    );
  }

  /** Maps what an earlier engine of this app had. Throws, and has mapped nothing then, when that can't be. */
  restore(saved: readonly SendRegionState[]): void {
    try {
      for (const { id, fd, bytes } of saved) {
        this.add(id, { fd, memory: mapRegion(fd, bytes, true) });
      }
    } catch (error) {
      this.unmap();
      throw error;
    }
  }

  /** A successor has the descriptors, and mappings of its own. */
  unmap(): void {
    this.regions.forEach((region, id) => {
      if (region !== undefined && id !== firstSendRegion) closeRegion(region.memory);
    });
    this.regions.length = 0;
    this.bytes = 0;
    this.closeRetired();
  }

  close(): void {
    this.regions.forEach((_, id) => {
      this.remove(id, true);
    });
    this.regions.length = 0;
    this.closeRetired();
  }

  /**
   * Finds the message that a CALL or REPLY slot names and describes it in `body`. Returns "" or what is
   * wrong with the slot, which only a broken or hostile app does. `isReply`: the slot has a status
   * message and details. The slot is the daemon's own copy.
   */
  locate(slot: Int32Array, isReply: boolean, body: Body): string {
    body.clear();
    if ((slot[W_KIND]! & (SlotFlag.NO_BLOCK << 8)) !== 0) return "";
    const region = this.regions[slot[W_BLOCK_TAG]! >>> 16];
    if (region === undefined)
      return `block in region ${slot[W_BLOCK_TAG]! >>> 16}, which is not there`;
    const offset = slot[W_BLOCK_OFFSET]!;
    const inlineLength = slot[W_INLINE_LENGTH]!;
    const segmentCount = slot[W_SEGMENT_COUNT]!;
    const metadataLength = slot[W_METADATA_LENGTH]!;
    const messageLength = isReply ? slot[W_MESSAGE_LENGTH]! : 0;
    const detailsLength = isReply ? slot[W_DETAILS_LENGTH]! : 0;
    if (offset < 0 || offset % 8 !== 0) return `block offset ${offset}, expected a multiple of 8`;
    if (inlineLength < 0 || inlineLength % 8 !== 0) {
      return `inline length ${inlineLength}, expected a multiple of 8`;
    }
    if (segmentCount < 0 || segmentCount > SEGMENTS_MAX) {
      return `${segmentCount} segments, expected up to ${SEGMENTS_MAX}`;
    }
    if (metadataLength < 0 || metadataLength > this.metadataBytesMax) {
      return `${metadataLength} bytes of metadata, expected up to ${this.metadataBytesMax}`;
    }
    if (messageLength < 0 || messageLength > statusMessageBytesMax) {
      return `a status message of ${messageLength} bytes, expected up to ${statusMessageBytesMax}`;
    }
    if (detailsLength < 0 || detailsLength > statusDetailsBytesMax) {
      return `status details of ${detailsLength} bytes, expected up to ${statusDetailsBytesMax}`;
    }
    const hasTrace = (slot[W_KIND]! & (SlotFlag.TRACE << 8)) !== 0;
    const traceOffset = offset + inlineLength + segmentCount * SEGMENT_ROW_BYTES;
    const metadataOffset = traceOffset + (hasTrace ? TRACE_BYTES : 0);
    const messageOffset = metadataOffset + padTo8(metadataLength);
    const detailsOffset = messageOffset + padTo8(messageLength);
    const end = detailsOffset + padTo8(detailsLength);
    const regionBytes = region.memory.buffer.byteLength;
    if (end > regionBytes) return `a block that ends at ${end} in a region of ${regionBytes} bytes`;
    body.trusted = false;
    body.owner = this.owner;
    body.ownerTag = slot[W_BLOCK_TAG]!;
    body.ownerOffset = offset;
    body.memory = region.memory;
    body.offset = offset;
    body.inlineLength = inlineLength;
    body.tail = region.memory;
    body.hasTrace = hasTrace;
    body.traceOffset = traceOffset;
    body.metadataOffset = metadataOffset;
    body.metadataLength = metadataLength;
    body.messageOffset = messageOffset;
    body.messageLength = messageLength;
    body.detailsOffset = detailsOffset;
    body.detailsLength = detailsLength;
    if (segmentCount === 0)
      return slot[W_SEGMENT_BYTES] === 0 ? "" : "segment bytes without segments";
    return this.locateSegments(slot, segmentCount, region.memory, offset + inlineLength, body);
  }

  private locateSegments(
    slot: Int32Array,
    count: number,
    memory: Memory,
    tableOffset: number,
    body: Body,
  ): string {
    let total = 0;
    for (let i = 0; i < count; i++) {
      const row = (tableOffset + i * SEGMENT_ROW_BYTES) >> 2;
      const id = memory.i32[row]! >>> 16;
      const offset = memory.i32[row + 1]!;
      const length = memory.i32[row + 2]!;
      const region = this.regions[id];
      if (region === undefined) return `segment ${i} in region ${id}, which is not there`;
      const regionBytes = region.memory.buffer.byteLength;
      if (offset < 0 || offset % 8 !== 0 || length < 0 || offset + length > regionBytes) {
        return `segment ${i} at ${offset} with ${length} bytes in a region of ${regionBytes}`;
      }
      body.segmentMemories[i] = region.memory;
      body.segmentOffsets[i] = offset;
      body.segmentLengths[i] = length;
      total += padTo8(length);
    }
    if (total !== slot[W_SEGMENT_BYTES]) {
      return `${slot[W_SEGMENT_BYTES]} segment bytes announced, ${total} in the table`;
    }
    body.segmentCount = count;
    body.segmentBytes = total;
    return "";
  }
}
