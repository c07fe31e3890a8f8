/**
 * What a link is about to send: bytes of its own (headers and small messages, copied) and references to
 * memory of apps (large messages, not copied), in order.
 *
 * ```
 *  own memory  │ frame │ frame │ header │        │ header │ …
 *  spans       └──────── 0 ─────────────┘ app 1  └── 2 ──┘ app 3 …      one sendmsg takes them all
 * ```
 *
 * Own memory is used from front to end and starts over once everything has left. `enqueued` counts all
 * bytes ever put in, so a position in the stream is a plain number; completions wait for positions.
 */
import type { Connection, Span } from "@koala/interface";
import { type Memory, openMemory, TracePoint, tracePoints, without } from "@koala/shm";
import type { BlockOwner } from "../datapath/call.ts";

/** Bytes of frames that wait in own memory. Beyond it calls are parked. */
const memoryBytes = 1024 * 1024;
/** Kept free for short frames that must go out: credit, cancel, pong. */
const reservedBytes = 64 * 1024;
const spansMax = 1024;
const reservedSpans = 64;
/** Spans given to the transport at once. */
const spansPerSend = 256;
/** Bytes that are copied together for one `send` where nothing is gathered (`KOALA_WITHOUT=gathering`). */
const copiedBytesMax = 256 * 1024;
const zeros = new ArrayBuffer(8);

/** A block of an app that the output refers to, for a message of this stream. */
export interface HeldBlock {
  readonly stream: number;
  /** It goes back to its app with the reply of the call, if that is still to come. */
  readonly isRequest: boolean;
  readonly owner: BlockOwner;
  readonly tag: number;
  readonly offset: number;
}

/** Something that happens once the bytes before a position are sent. */
interface Completion {
  readonly position: number;
  readonly held: HeldBlock;
  readonly done: () => void;
}

export class LinkOutput {
  readonly memory: Memory = openMemory(new ArrayBuffer(memoryBytes));
  /** All bytes ever put in. */
  enqueued = 0;
  /** Bytes put in and not taken by the transport. */
  queuedBytes = 0;
  private tail = 0;
  private readonly spans: Span[] = Array.from({ length: spansMax }, () => ({
    buffer: zeros,
    offset: 0,
    length: 0,
  }));
  private spanCount = 0;
  /** Where spans are copied to when they may not be sent from their places; made when that is so. */
  private copied = new ArrayBuffer(0);
  private readonly completions: Completion[] = [];

  /**
   * Where a frame of so many own bytes may be written that refers to `pieces` pieces of other memory; -1
   * when there is no room now.
   */
  reserve(bytes: number, pieces: number): number {
    // Each piece may need a span for the zeros that pad it.
    const spans = spansMax - reservedSpans - 2 * pieces;
    return this.room(bytes, memoryBytes - reservedBytes, spans);
  }

  /** The same for frames that must go out; they may use what is kept free for them. */
  reserveUrgent(bytes: number): number {
    return this.room(bytes, memoryBytes, spansMax);
  }

  /** Puts the bytes written at the last reserved place in. */
  commit(bytes: number): void {
    const offset = this.tail;
    this.tail += bytes;
    this.enqueued += bytes;
    this.queuedBytes += bytes;
    if (this.spanCount > 0 && !without.bundling) {
      const last = this.spans[this.spanCount - 1]!;
      if (last.buffer === this.memory.buffer && last.offset + last.length === offset) {
        last.length += bytes;
        return;
      }
    }
    this.push(this.memory.buffer, offset, bytes);
  }

  /** Puts bytes that lie elsewhere in, and the zeros that pad them to a multiple of 8. */
  reference(memory: Memory, offset: number, length: number): void {
    this.push(memory.buffer, offset, length);
    const padding = -length & 7;
    if (padding > 0) this.push(zeros, 0, padding);
    this.enqueued += length + padding;
    this.queuedBytes += length + padding;
  }

  /** Calls back once everything that is in now has been sent; it refers to `held` until then. */
  whenSent(held: HeldBlock, done: () => void): void {
    this.completions.push({ position: this.enqueued, held, done });
  }

  /** A copy of everything that the transport has not taken. */
  save(): Uint8Array {
    const bytes = new Uint8Array(this.queuedBytes);
    let at = 0;
    for (const { buffer, offset, length } of this.spans.slice(0, this.spanCount)) {
      bytes.set(new Uint8Array(buffer, offset, length), at);
      at += length;
    }
    return bytes;
  }

  /** Puts what `save` gave first; for an output that is empty still. */
  load(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const memory = new ArrayBuffer(bytes.length);
    new Uint8Array(memory).set(bytes);
    this.push(memory, 0, bytes.length);
    this.enqueued += bytes.length;
    this.queuedBytes += bytes.length;
  }

  /** Blocks that are referred to, of messages which are in completely. */
  heldBlocks(): HeldBlock[] {
    return this.completions.map(({ held }) => held);
  }

  /** Hands over as much as the transport takes: 0, or `-errno` when the connection is dead. */
  flush(connection: Connection): number {
    while (this.spanCount > 0) {
      if (tracePoints !== null) tracePoints.note(TracePoint.SENDING, 0);
      const taken = this.offer(connection);
      if (tracePoints !== null) tracePoints.note(TracePoint.SENT, 0);
      if (taken < 0) return taken;
      if (taken === 0) break;
      this.queuedBytes -= taken;
      this.drop(taken);
    }
    const sent = connection.sentBytes();
    if (this.completions.length > 0) this.complete(sent);
    if (this.spanCount === 0 && sent === this.enqueued) this.tail = 0;
    return 0;
  }

  /** The connection is dead: nothing is sent any more, so nothing is referred to. */
  abandon(): void {
    this.spanCount = 0;
    this.queuedBytes = 0;
    this.complete(Number.POSITIVE_INFINITY);
  }

  /** One system call. */
  private offer(connection: Connection): number {
    let count = Math.min(this.spanCount, spansPerSend);
    if (without.bundling) count = this.spansOfFrame(count);
    if (!without.gathering) return connection.send(this.spans, count);
    return connection.send([this.copy(connection, count)], 1);
  }

  /** Spans of the first frame, or of what is left of it, up to `most`: frames begin in own memory. */
  private spansOfFrame(most: number): number {
    let count = 1;
    while (count < most && this.spans[count]!.buffer !== this.memory.buffer) count++;
    return count;
  }

  /** The bytes of the first spans in one piece, as far as they fit. */
  private copy(connection: Connection, count: number): Span {
    // What was posted before may still be read from where it lies.
    const isFree = connection.sentBytes() === this.enqueued - this.queuedBytes;
    if (!isFree || this.copied.byteLength === 0) this.copied = new ArrayBuffer(copiedBytesMax);
    const target = new Uint8Array(this.copied);
    let length = 0;
    for (let i = 0; i < count && length < copiedBytesMax; i++) {
      const { buffer, offset, length: bytes } = this.spans[i]!;
      const part = Math.min(bytes, copiedBytesMax - length);
      target.set(new Uint8Array(buffer, offset, part), length);
      length += part;
    }
    return { buffer: this.copied, offset: 0, length };
  }

  private room(bytes: number, bytesMax: number, countMax: number): number {
    if (this.tail + bytes > bytesMax || this.spanCount >= countMax) return -1;
    return this.tail;
  }

  private push(buffer: ArrayBuffer, offset: number, length: number): void {
    const span = this.spans[this.spanCount++]!;
    span.buffer = buffer;
    span.offset = offset;
    span.length = length;
  }

  private drop(bytes: number): void {
    const { spans } = this;
    let gone = 0;
    let rest = bytes;
    while (rest > 0) {
      const span = spans[gone]!;
      if (span.length > rest) {
        span.offset += rest;
        span.length -= rest;
        break;
      }
      rest -= span.length;
      gone++;
    }
    if (gone === 0) return;
    // The records change places, so that none is made anew; their buffers must not outlive their use.
    for (let i = 0; i < this.spanCount - gone; i++) {
      const span = spans[i]!;
      spans[i] = spans[i + gone]!;
      spans[i + gone] = span;
    }
    this.spanCount -= gone;
    for (let i = 0; i < gone; i++) spans[this.spanCount + i]!.buffer = zeros;
  }

  private complete(sent: number): void {
    let count = 0;
    while (count < this.completions.length && this.completions[count]!.position <= sent) {
      this.completions[count++]!.done();
    }
    if (count > 0) this.completions.splice(0, count);
  }
}

/** Keeps an app's memory mapped until what is in the output now is sent; then calls back. */
export function holdUntilSent(
  output: LinkOutput,
  held: HeldBlock,
  onSent: (held: HeldBlock) => void,
): void {
  held.owner.pin();
  output.whenSent(held, () => {
    onSent(held);
    held.owner.unpin();
  });
}
