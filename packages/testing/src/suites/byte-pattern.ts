/**
 * Streams of bytes that say themselves what they should be: the byte at each position follows from the
 * position, so a receiver finds lost, repeated and swapped bytes without a copy of what was sent.
 */
import assert from "node:assert/strict";
import type { Connection, Span } from "@koala/interface";
import type { Prng } from "../prng.ts";

/** How a stream is cut into calls. */
export interface CutOptions {
  /** Spans in one call. */
  spansMax: number;
  /** Bytes in one call. */
  bytesMax: number;
}

function byteAt(position: number): number {
  return Math.imul((position % 0x7fff_ffff) ^ (position >>> 9), 0x9e3779b1) >>> 24;
}

/** Cuts `bytes` at the start of `buffer` into random spans, some of them empty, in random places. */
function cut(prng: Prng, buffer: ArrayBuffer, bytes: number, spansMax: number): Span[] {
  const count = prng.between(1, spansMax);
  const spans: Span[] = [];
  let offset = 0;
  for (let i = 0; i < count; i++) {
    const rest = bytes - offset;
    const length = i === count - 1 ? rest : prng.below(Math.ceil((2 * rest) / (count - i)) + 1);
    const taken = Math.min(length, rest);
    spans.push({ buffer, offset, length: taken });
    offset += taken;
  }
  return spans;
}

/** Sends the pattern over a connection. */
export class PatternSender {
  /** Bytes that the connection took. */
  position = 0;
  /** What `send` returned when the connection died; 0 before. */
  failure = 0;
  private readonly connection: Connection;
  private readonly prng: Prng;
  private readonly options: CutOptions;
  private readonly buffer: ArrayBuffer;
  private spans: Span[] = [];

  constructor(connection: Connection, prng: Prng, options: CutOptions) {
    this.connection = connection;
    this.prng = prng;
    this.options = options;
    this.buffer = new ArrayBuffer(options.bytesMax);
  }

  /** Sends up to position `end`, as much as is taken now; true when all of it is. */
  pump(end: number): boolean {
    while (this.position < end && this.failure === 0) {
      if (this.spans.length === 0 && !this.refill(end)) return false;
      const before = this.connection.sentBytes();
      const taken = this.connection.send(this.spans, this.spans.length);
      assert.ok(this.connection.sentBytes() >= before, "sentBytes never goes back");
      if (taken < 0) this.failure = taken;
      if (taken <= 0) return false;
      this.position += taken;
      assert.ok(this.connection.sentBytes() <= this.position, "sentBytes counts what was taken");
      this.advance(taken);
    }
    return this.position >= end;
  }

  /** Writes the next piece, unless the connection still reads the last one from its place. */
  private refill(end: number): boolean {
    if (this.connection.sentBytes() < this.position) return false;
    const bytes = Math.min(this.prng.between(1, this.options.bytesMax), end - this.position);
    const view = new Uint8Array(this.buffer);
    for (let i = 0; i < bytes; i++) view[i] = byteAt(this.position + i);
    this.spans = cut(this.prng, this.buffer, bytes, this.options.spansMax);
    return true;
  }

  private advance(taken: number): void {
    let rest = taken;
    let index = 0;
    for (; index < this.spans.length; index++) {
      const span = this.spans[index]!;
      if (span.length > rest) {
        span.offset += rest;
        span.length -= rest;
        break;
      }
      rest -= span.length;
    }
    this.spans.splice(0, index);
  }
}

/** Receives the pattern and checks it. */
export class PatternReceiver {
  /** Bytes received. */
  position = 0;
  /** What `receive` returned when the connection died; 0 before. */
  failure = 0;
  private readonly connection: Connection;
  private readonly prng: Prng;
  private readonly options: CutOptions;
  private readonly buffer: ArrayBuffer;

  constructor(connection: Connection, prng: Prng, options: CutOptions) {
    this.connection = connection;
    this.prng = prng;
    this.options = options;
    this.buffer = new ArrayBuffer(options.bytesMax);
  }

  /** Receives what is there now, `bytesMax` further bytes at most. */
  pump(bytesMax: number = Number.POSITIVE_INFINITY): void {
    const limit = this.position + bytesMax;
    while (this.failure === 0 && this.position < limit) {
      const room = Math.min(this.prng.between(1, this.options.bytesMax), limit - this.position);
      const spans = cut(this.prng, this.buffer, room, this.options.spansMax);
      const got = this.connection.receive(spans, spans.length);
      if (got < 0) this.failure = got;
      if (got <= 0) return;
      assert.ok(got <= room, `${got} bytes received into ${room}`);
      const view = new Uint8Array(this.buffer);
      for (let i = 0; i < got; i++) {
        if (view[i] === byteAt(this.position + i)) continue;
        assert.fail(`the byte at position ${this.position + i} is wrong`);
      }
      this.position += got;
    }
  }
}
