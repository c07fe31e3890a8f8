/**
 * What arrives on a link: finds the frames, and lets bodies of large messages be received straight to
 * their place.
 *
 * ```
 *  memory  │ consumed │ frame │ frame │ part of a frame │ free │
 *                     head                              tail
 *  diverted: the rest of a chunk goes to its target first, what follows into memory
 * ```
 */
import type { Connection, Span } from "@koala/interface";
import {
  F_KIND,
  F_LENGTH,
  FrameType,
  frameBytesMax,
  frameTypeName,
  hasLongHeader,
  LONG_HEADER_BYTES,
  SHORT_HEADER_BYTES,
} from "@koala/protocol";
import { type Memory, openMemory, TracePoint, tracePoints } from "@koala/shm";

/** Room for the largest frame and for what comes with it in one go. */
const memoryBytes = frameBytesMax + 256 * 1024;
/** While a chunk is being received to its place, only so much of what follows it is taken along. */
const besideBytes = 16 * 1024;

type Source = Pick<Connection, "receive">;

/** Bytes that are received as if they came from a connection. */
class Backlog implements Source {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get isEmpty(): boolean {
    return this.at === this.bytes.length;
  }

  rest(): Uint8Array {
    return this.bytes.subarray(this.at);
  }

  receive(spans: readonly Span[], spanCount: number): number {
    const before = this.at;
    for (let i = 0; i < spanCount; i++) {
      const { buffer, offset, length } = spans[i]!;
      const piece = this.bytes.subarray(this.at, this.at + length);
      new Uint8Array(buffer, offset, length).set(piece);
      this.at += piece.length;
    }
    return this.at - before;
  }
}

export class LinkInput {
  readonly memory: Memory = openMemory(new ArrayBuffer(memoryBytes));
  /** Length of the frame that `next` found. */
  frameLength = 0;
  /** What is wrong with the stream; "" while nothing is. */
  malformed = "";
  /** The last `receive` took all that was there. */
  drained = false;
  private head = 0;
  private tail = 0;
  /** Where the diverted bytes go; null drops them. */
  private target: Memory | null = null;
  private targetOffset = 0;
  private diverted = 0;
  private done: (() => void) | null = null;
  /** What somebody else has received of the connection already; it comes first. */
  private backlog: Backlog | null = null;
  private readonly spans: Span[] = [
    { buffer: this.memory.buffer, offset: 0, length: 0 },
    { buffer: this.memory.buffer, offset: 0, length: 0 },
  ];

  /**
   * Offset of the next frame, -1 when more must be received first. CHUNK frames are found as soon as
   * their header is there, all others when they are complete.
   */
  next(): number {
    if (this.diverted > 0 || this.malformed !== "") return -1;
    const available = this.tail - this.head;
    if (available < SHORT_HEADER_BYTES) return -1;
    const words = this.memory.i32;
    const length = words[(this.head >> 2) + F_LENGTH]!;
    const type = words[(this.head >> 2) + F_KIND]! & 0xff;
    const least = hasLongHeader(type) ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES;
    if (length < least || length > frameBytesMax || length % 8 !== 0) {
      this.malformed = `a ${frameTypeName(type)} frame of ${length} bytes`;
      return -1;
    }
    if (available < length && type !== FrameType.CHUNK) return -1;
    this.frameLength = length;
    return this.head;
  }

  /** Done with the frame that `next` found. */
  consume(): void {
    this.head += this.frameLength;
    if (this.head === this.tail) {
      this.head = 0;
      this.tail = 0;
    }
  }

  /**
   * Done with the header of the chunk that `next` found: its body goes to `target` (null: nowhere), now
   * and as it comes in; then `done` is called.
   */
  divert(target: Memory | null, targetOffset: number, done: () => void): void {
    const bytes = this.frameLength - SHORT_HEADER_BYTES;
    const here = Math.min(bytes, this.tail - this.head - SHORT_HEADER_BYTES);
    const from = this.head + SHORT_HEADER_BYTES;
    if (target !== null && here > 0) {
      this.memory.node.copy(target.node, targetOffset, from, from + here);
    }
    this.head = from + here;
    if (this.head === this.tail) {
      this.head = 0;
      this.tail = 0;
    }
    this.diverted = bytes - here;
    if (this.diverted === 0) {
      done();
      return;
    }
    this.target = target;
    this.targetOffset = targetOffset + here;
    this.done = done;
  }

  /** What lay at `offset` of the target of the diverted bytes lies at the start of this memory now. */
  moveTarget(memory: Memory, offset: number): void {
    this.target = memory;
    this.targetOffset -= offset;
  }

  /** The target of the diverted bytes is gone: drop them. */
  dropTarget(): void {
    this.target = null;
  }

  /** Bytes of a chunk's body that are still to come. */
  get divertedBytes(): number {
    return this.diverted;
  }

  /** A copy of what has been received and not taken; of a chunk, the part that has its place is not in it. */
  save(): Uint8Array {
    const here = this.memory.u8.subarray(this.head, this.tail);
    return Buffer.concat([here, this.backlog?.rest() ?? new Uint8Array(0)]);
  }

  /** Puts bytes that somebody else has received before those of the connection, behind earlier ones. */
  load(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const before = this.backlog?.rest() ?? new Uint8Array(0);
    this.backlog = new Backlog(Buffer.concat([before, bytes]));
  }

  /** The next so many bytes, of a chunk of that length, go to `target`; then `done` is called. See `divert`. */
  resume(
    target: Memory | null,
    targetOffset: number,
    bytes: number,
    frameLength: number,
    done: () => void,
  ): void {
    this.diverted = bytes;
    this.frameLength = frameLength;
    this.target = target;
    this.targetOffset = targetOffset;
    this.done = done;
  }

  /** Takes what the connection has: bytes, 0 for nothing, `-errno` when it is dead. */
  receive(connection: Connection): number {
    if (this.backlog === null) return this.receiveFrom(connection);
    const bytes = this.receiveFrom(this.backlog);
    this.drained = false;
    if (this.backlog.isEmpty) this.backlog = null;
    return bytes;
  }

  private receiveFrom(connection: Source): number {
    if (this.tail > memoryBytes / 2 && this.head > 0) this.compact();
    if (this.diverted > 0) return this.receiveDiverted(connection);
    const span = this.spans[0]!;
    span.buffer = this.memory.buffer;
    span.offset = this.tail;
    span.length = memoryBytes - this.tail;
    const bytes = connection.receive(this.spans, 1);
    this.drained = bytes < span.length;
    if (bytes <= 0) return bytes;
    if (tracePoints !== null) tracePoints.note(TracePoint.RECEIVED, 0);
    this.tail += bytes;
    return bytes;
  }

  private receiveDiverted(connection: Source): number {
    const { target } = this;
    const first = this.spans[0]!;
    const second = this.spans[1]!;
    if (target === null) {
      // Dropped bytes pass through the free end of the memory.
      first.buffer = this.memory.buffer;
      first.offset = this.tail;
      first.length = Math.min(this.diverted, memoryBytes - this.tail);
    } else {
      first.buffer = target.buffer;
      first.offset = this.targetOffset;
      first.length = this.diverted;
    }
    second.buffer = this.memory.buffer;
    second.offset = this.tail;
    second.length = target === null ? 0 : Math.min(besideBytes, memoryBytes - this.tail);
    const wanted = first.length + second.length;
    const bytes = connection.receive(this.spans, target === null ? 1 : 2);
    this.drained = bytes < wanted;
    if (bytes <= 0) return bytes;
    const toTarget = Math.min(bytes, first.length);
    this.diverted -= toTarget;
    this.targetOffset += toTarget;
    this.tail += bytes - toTarget;
    if (this.diverted === 0) {
      const { done } = this;
      this.target = null;
      this.done = null;
      done?.();
    }
    return bytes;
  }

  private compact(): void {
    this.memory.u8.copyWithin(0, this.head, this.tail);
    this.tail -= this.head;
    this.head = 0;
  }
}
