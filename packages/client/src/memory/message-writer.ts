/**
 * Lays a message, its segments and what comes with it (metadata, status) out in the send heap, as the
 * drawing in `@koala/protocol`'s slot.ts has it. One per datapath; the result of a write is in its fields
 * until the next one.
 */
import { KoalaError } from "@koala/interface";
import { padTo8, SEGMENT_ROW_BYTES, SEGMENTS_MAX } from "@koala/protocol";
import type { MessageCodec, SegmentSink } from "@koala/schema";
import { type Memory, smallBytesMax } from "@koala/shm";
import type { SendHeap } from "./send-heap.ts";
import type { SizeGuess } from "./size-guess.ts";

/** What a write came to. */
export const Written = {
  OK: 0,
  /** The heap has no block of `wanted` bytes now. */
  HEAP_FULL: 1,
  /** The message has `wanted` bytes, more than the daemon takes. */
  TOO_LARGE: 2,
} as const;
export type Written = (typeof Written)[keyof typeof Written];

const noSegments: readonly number[] = [];

export class MessageWriter implements SegmentSink {
  tag = 0;
  offset = 0;
  inlineLength = 0;
  segmentCount = 0;
  segmentBytes = 0;
  /** Tag and offset of each segment's block. */
  segments: readonly number[] = noSegments;
  wanted = 0;

  private readonly send: SendHeap;
  private readonly messageBytesMax: number;
  private memory: Memory;
  private capacity = 0;
  /** The segments so far: tag, offset, 1 for a user's block; and the bytes they were given as. */
  private readonly rows: number[] = [];
  private readonly sources: Uint8Array[] = [];
  private cursor = 0;
  private noRoomFor = 0;

  constructor(send: SendHeap, messageBytesMax: number) {
    this.send = send;
    this.messageBytesMax = messageBytesMax;
    this.memory = send.heap.memory;
  }

  /**
   * Writes a message, then the parts of `tail` in order. Throws only what the codec throws for a value
   * that does not fit its field; the heap is as before then, and for every other result than OK.
   */
  write(
    codec: MessageCodec,
    message: unknown,
    guess: SizeGuess,
    tail: readonly Uint8Array[] | null,
  ): Written {
    const outcome = this.writeInline(codec, message, guess.bytes);
    if (outcome !== Written.OK) return outcome;
    guess.note(this.inlineLength);
    this.segments = noSegments;
    this.segmentCount = this.sources.length;
    if (this.segmentCount === 0 && tail === null) return Written.OK;
    return this.writeRest(tail);
  }

  /** Writes a block without a message: the parts of a failed reply. */
  writeTail(tail: readonly Uint8Array[]): Written {
    const bytes = tail.reduce((sum, part) => sum + padTo8(part.length), 0);
    if (!this.send.heap.allocate(bytes)) return this.full(bytes);
    this.takeBlock(bytes);
    this.inlineLength = 0;
    this.segmentCount = 0;
    this.segmentBytes = 0;
    this.segments = noSegments;
    this.writeParts(tail, this.offset);
    return Written.OK;
  }

  /** For the codec: takes large bytes as a segment. */
  add(bytes: Uint8Array): number {
    if (this.noRoomFor !== 0) return -1;
    const index = this.cursor;
    if (index < this.sources.length) {
      // The codec tries again in a larger block and comes by here with the same bytes.
      if (!isSame(this.sources[index]!, bytes)) return -1;
      this.cursor++;
      return index;
    }
    if (index === SEGMENTS_MAX) return -1;
    let tag = this.send.userTag(bytes);
    let offset = bytes.byteOffset;
    if (tag === -1) throw new KoalaError("ERR_BYTES_SENT", sentText);
    const isUsers = tag !== 0;
    if (!isUsers) {
      const { heap } = this.send;
      const isTooMuch = this.segmentBytes + bytes.length > this.messageBytesMax;
      if (isTooMuch || !heap.allocate(bytes.length)) {
        this.noRoomFor = bytes.length;
        return -1;
      }
      tag = heap.tag;
      offset = heap.offset;
      heap.memory.u8.set(bytes, offset);
    }
    this.sources.push(bytes);
    this.rows.push(tag, offset, isUsers ? 1 : 0);
    this.segmentBytes += padTo8(bytes.length);
    this.cursor++;
    return index;
  }

  private writeInline(codec: MessageCodec, message: unknown, guess: number): Written {
    const { heap } = this.send;
    let bytes = guess;
    this.segmentBytes = 0;
    for (;;) {
      if (!heap.allocate(bytes)) return this.giveUp(Written.HEAP_FULL, bytes);
      this.takeBlock(bytes);
      this.cursor = 0;
      this.noRoomFor = 0;
      let length: number;
      try {
        length = codec.write(message, this.memory, this.offset, this.offset + bytes, this);
      } catch (error) {
        heap.free(this.tag, this.offset);
        this.dropSegments();
        throw error;
      }
      const isWhole = this.noRoomFor === 0;
      const least = this.segmentBytes + (isWhole ? Math.abs(length) : this.noRoomFor);
      if (length > 0 && isWhole && least <= this.messageBytesMax) {
        this.inlineLength = length;
        return Written.OK;
      }
      heap.free(this.tag, this.offset);
      // What the codec wants next is a guess on the large side, so only a clear excess counts.
      const isGuess = length < 0 && isWhole;
      if (least > (isGuess ? this.messageBytesMax * 2 : this.messageBytesMax)) {
        return this.giveUp(Written.TOO_LARGE, least);
      }
      if (!isWhole) return this.giveUp(Written.HEAP_FULL, this.noRoomFor);
      bytes = Math.min(-length, this.messageBytesMax + smallBytesMax);
      if (bytes <= this.capacity) return this.giveUp(Written.TOO_LARGE, least);
    }
  }

  /** The segment table and the parts behind it, in a larger block if need be. */
  private writeRest(tail: readonly Uint8Array[] | null): Written {
    let bytes = this.inlineLength + this.segmentCount * SEGMENT_ROW_BYTES;
    if (tail !== null) for (const part of tail) bytes += padTo8(part.length);
    if (bytes > this.capacity && !this.moveTo(bytes)) {
      this.send.heap.free(this.tag, this.offset);
      return this.giveUp(Written.HEAP_FULL, bytes);
    }
    const end = this.writeTable(this.offset + this.inlineLength);
    if (tail !== null) this.writeParts(tail, end);
    return Written.OK;
  }

  /** From here on the segments belong to the message. */
  private writeTable(start: number): number {
    if (this.segmentCount === 0) return start;
    const { rows, sources } = this;
    const { i32 } = this.memory;
    const segments: number[] = [];
    for (let i = 0; i < sources.length; i++) {
      const tag = rows[i * 3]!;
      const offset = rows[i * 3 + 1]!;
      const word = (start + i * SEGMENT_ROW_BYTES) >> 2;
      i32[word] = tag;
      i32[word + 1] = offset;
      i32[word + 2] = sources[i]!.length;
      i32[word + 3] = 0;
      segments.push(tag, offset);
      if (rows[i * 3 + 2] === 1) this.send.passBytes(tag, offset);
    }
    this.segments = segments;
    rows.length = 0;
    sources.length = 0;
    return start + this.segmentCount * SEGMENT_ROW_BYTES;
  }

  private writeParts(parts: readonly Uint8Array[], start: number): void {
    let at = start;
    for (const part of parts) {
      this.memory.u8.set(part, at);
      at += padTo8(part.length);
    }
  }

  private moveTo(bytes: number): boolean {
    const { memory, tag, offset } = this;
    if (!this.send.heap.allocate(bytes)) return false;
    this.takeBlock(bytes);
    this.memory.u8.set(memory.u8.subarray(offset, offset + this.inlineLength), this.offset);
    this.send.heap.free(tag, offset);
    return true;
  }

  private takeBlock(bytes: number): void {
    const { heap } = this.send;
    this.tag = heap.tag;
    this.offset = heap.offset;
    this.memory = heap.memory;
    this.capacity = bytes;
  }

  /** Frees the copies; bytes of users stay theirs. */
  private dropSegments(): void {
    const { rows } = this;
    for (let i = 0; i < rows.length; i += 3) {
      if (rows[i + 2] === 0) this.send.heap.free(rows[i]!, rows[i + 1]!);
    }
    rows.length = 0;
    this.sources.length = 0;
  }

  private giveUp(outcome: Written, bytes: number): Written {
    this.dropSegments();
    this.wanted = bytes;
    return outcome;
  }

  private full(bytes: number): Written {
    this.wanted = bytes;
    return Written.HEAP_FULL;
  }
}

/** A view gives its bytes as a new object each time. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.length === b.length;
}

const sentText =
  "bytes of mesh.bytes() were sent before, or are a part that does not start at their beginning; take new ones for each message";
