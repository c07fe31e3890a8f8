/**
 * Where the bytes of one message are while a call passes through the daemon: a reusable record, filled
 * by whoever received the message and read by whoever passes it on. It owns no memory.
 *
 * `memory` may be a region that an app can write: then everything in the record has been checked against
 * that region, but the message's content has not, and whoever uses it copies it first and validates the
 * copy. With `trusted`, the bytes lie in memory that only the daemon can write.
 */
import { padTo8, SEGMENTS_MAX, statusMessageBytesMax, TRACE_BYTES } from "@koala/protocol";
import { type Heap, type Memory, openMemory } from "@koala/shm";
import type { BlockOwner } from "./call.ts";
import { copyBytes } from "./copy-bytes.ts";

const nothing: Memory = openMemory(new ArrayBuffer(8));
const encoder = new TextEncoder();

export class Body {
  trusted = false;
  /** Whose send heap the message is in; null when it is memory of the daemon. */
  owner: BlockOwner | null = null;
  /** The owner's name for the block. */
  ownerTag = 0;
  ownerOffset = 0;
  /** The receive heap that inline part and segments lie in already, one after the other. */
  placedIn: Heap | null = null;
  placedTag = 0;
  memory: Memory = nothing;
  /** Of the inline part. */
  offset = 0;
  /** Bytes; 0 when there is no message, as in most replies that carry an error. */
  inlineLength = 0;
  segmentCount = 0;
  /** All segments, each padded to 8. */
  segmentBytes = 0;
  readonly segmentLengths: Int32Array = new Int32Array(SEGMENTS_MAX);
  readonly segmentMemories: Memory[] = new Array<Memory>(SEGMENTS_MAX).fill(nothing);
  readonly segmentOffsets: Int32Array = new Int32Array(SEGMENTS_MAX);

  /** Messages in it: 2 and more are a row of records in the inline part, see `forEachRecord`. */
  count = 1;
  /** Of messages of a streaming call: what they cost their sender, bytes of credit. */
  cost = 0;
  /** Of messages of a streaming call: `SlotFlag.END` and `SlotFlag.HEADERS`. */
  streamFlags = 0;
  /** Of messages of a streaming call: the policies of this daemon have let them pass. */
  isSeen = false;

  /** Where trace context, metadata, status message and details are. */
  tail: Memory = nothing;
  hasTrace = false;
  traceOffset = 0;
  metadataOffset = 0;
  metadataLength = 0;
  messageOffset = 0;
  messageLength = 0;
  detailsOffset = 0;
  detailsLength = 0;

  /** Made when it is needed: most records never carry a text of the daemon's own. */
  private text: Memory | null = null;

  /** Makes it an empty message without metadata. */
  clear(): void {
    this.trusted = true;
    this.owner = null;
    this.placedIn = null;
    this.memory = nothing;
    this.offset = 0;
    this.inlineLength = 0;
    this.segmentCount = 0;
    this.segmentBytes = 0;
    this.count = 1;
    this.cost = 0;
    this.streamFlags = 0;
    this.isSeen = false;
    this.clearTail();
  }

  clearTail(): void {
    this.tail = nothing;
    this.hasTrace = false;
    this.metadataLength = 0;
    this.messageLength = 0;
    this.detailsLength = 0;
  }

  /** Makes it a bare status message of the daemon's own, with encoded metadata if there is some. */
  setText(text: string, metadata: Uint8Array | null = null): void {
    this.clear();
    const metadataBytes = metadata === null ? 0 : padTo8(metadata.length);
    const bytes = metadataBytes + statusMessageBytesMax;
    if (this.text === null || this.text.buffer.byteLength < bytes) {
      this.text = openMemory(new ArrayBuffer(bytes));
    }
    const { u8 } = this.text;
    this.tail = this.text;
    if (metadata !== null) u8.set(metadata, 0);
    this.metadataOffset = 0;
    this.metadataLength = metadata?.length ?? 0;
    this.messageOffset = metadataBytes;
    const room = u8.subarray(metadataBytes, metadataBytes + statusMessageBytesMax);
    this.messageLength = encoder.encodeInto(text, room).written;
  }

  /** Gives up the block that the message was placed in. */
  discard(): void {
    this.placedIn?.free(this.placedTag, this.offset);
    this.placedIn = null;
  }

  /** Describes the same bytes as another record, but for a placed block, which has one record only. */
  copyFrom(other: Body): void {
    this.trusted = other.trusted;
    this.owner = other.owner;
    this.ownerTag = other.ownerTag;
    this.ownerOffset = other.ownerOffset;
    this.memory = other.memory;
    this.offset = other.offset;
    this.inlineLength = other.inlineLength;
    this.segmentCount = other.segmentCount;
    this.segmentBytes = other.segmentBytes;
    this.count = other.count;
    this.cost = other.cost;
    this.streamFlags = other.streamFlags;
    this.isSeen = other.isSeen;
    for (let i = 0; i < other.segmentCount; i++) {
      this.segmentMemories[i] = other.segmentMemories[i]!;
      this.segmentOffsets[i] = other.segmentOffsets[i]!;
      this.segmentLengths[i] = other.segmentLengths[i]!;
    }
    this.tail = other.tail;
    this.hasTrace = other.hasTrace;
    this.traceOffset = other.traceOffset;
    this.metadataOffset = other.metadataOffset;
    this.metadataLength = other.metadataLength;
    this.messageOffset = other.messageOffset;
    this.messageLength = other.messageLength;
    this.detailsOffset = other.detailsOffset;
    this.detailsLength = other.detailsLength;
  }

  /** Bytes of trace context, metadata, status message and details, each padded to 8. */
  tailBytes(): number {
    return (
      (this.hasTrace ? TRACE_BYTES : 0) +
      padTo8(this.metadataLength) +
      padTo8(this.messageLength) +
      padTo8(this.detailsLength)
    );
  }

  /** Copies trace context, metadata, status message and details, in this order. */
  copyTail(target: Memory, targetOffset: number): void {
    let at = targetOffset;
    if (this.hasTrace) {
      copyBytes(this.tail, this.traceOffset, target, at, TRACE_BYTES);
      at += TRACE_BYTES;
    }
    if (this.metadataLength > 0) {
      copyBytes(this.tail, this.metadataOffset, target, at, this.metadataLength);
      at += padTo8(this.metadataLength);
    }
    if (this.messageLength > 0) {
      copyBytes(this.tail, this.messageOffset, target, at, this.messageLength);
      at += padTo8(this.messageLength);
    }
    if (this.detailsLength > 0) {
      copyBytes(this.tail, this.detailsOffset, target, at, this.detailsLength);
    }
  }

  /** Copies the segments, each padded to 8. */
  copySegments(target: Memory, targetOffset: number): void {
    let at = targetOffset;
    for (let i = 0; i < this.segmentCount; i++) {
      const length = this.segmentLengths[i]!;
      copyBytes(this.segmentMemories[i]!, this.segmentOffsets[i]!, target, at, length);
      at += padTo8(length);
    }
  }

  /** A record of its own with a copy of all bytes in private memory. Only for trusted bytes. */
  privateCopy(): Body {
    const copy = new Body();
    copy.copyFrom(this);
    const bytes = this.bodyBytes() + this.tailBytes();
    const memory = openMemory(new ArrayBuffer(Math.max(8, bytes)));
    copyBytes(this.memory, this.offset, memory, 0, this.inlineLength);
    this.copySegments(memory, this.inlineLength);
    this.copyTail(memory, this.bodyBytes());
    copy.place(memory, 0);
    return copy;
  }

  /** Says that inline part, segments and tail lie one after the other at this place. */
  place(memory: Memory, offset: number): void {
    this.memory = memory;
    this.offset = offset;
    let at = offset + this.inlineLength;
    for (let i = 0; i < this.segmentCount; i++) {
      this.segmentMemories[i] = memory;
      this.segmentOffsets[i] = at;
      at += padTo8(this.segmentLengths[i]!);
    }
    this.placeTail(memory, at);
  }

  /** Says where trace context, metadata, status message and details start. */
  placeTail(memory: Memory, offset: number): void {
    this.tail = memory;
    this.traceOffset = offset;
    this.metadataOffset = offset + (this.hasTrace ? TRACE_BYTES : 0);
    this.messageOffset = this.metadataOffset + padTo8(this.metadataLength);
    this.detailsOffset = this.messageOffset + padTo8(this.messageLength);
  }

  /** Bytes of message body: inline part and segments. */
  bodyBytes(): number {
    return this.inlineLength + this.segmentBytes;
  }
}
