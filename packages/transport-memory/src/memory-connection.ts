/** One end of a memory pair as a connection. */
import type { Connection, Span } from "@koala/interface";
import { closeFd, doorbellClear, doorbellRing, EBADF, ECONNRESET, EINVAL } from "@koala/native";
import { BYTE_RING_HEADER_BYTES, ByteRing } from "./byte-ring.ts";
import type { MemoryEnd } from "./memory-pair.ts";

/** Opens an end in this thread, which uses it from now on and closes its descriptors with it. */
export function openMemoryEnd(end: MemoryEnd): Connection {
  return new MemoryConnection(end);
}

/** Views are kept for as long as their buffers live: making one costs more than a small copy. */
const views = new WeakMap<ArrayBuffer, Uint8Array>();

function viewOf(buffer: ArrayBuffer): Uint8Array {
  let view = views.get(buffer);
  if (view === undefined) {
    view = new Uint8Array(buffer);
    views.set(buffer, view);
  }
  return view;
}

/**
 * A `send` or `receive` that returns 0 asks for a wake-up, and the other end rings only then: a doorbell
 * costs a system call. The doorbell stays readable until a call finds nothing, so it serves pollers that
 * look at states as well as those that look at changes; since one doorbell speaks for both directions,
 * the call that clears it rings again if the other direction has not noticed yet.
 */
class MemoryConnection implements Connection {
  readonly fd: number;
  readonly remote: string;
  private readonly peerDoorbell: number;
  private readonly outgoing: ByteRing;
  private readonly incoming: ByteRing;
  private sent = 0;
  private closed = false;
  /** The last call of this direction returned 0, and the doorbell has not been left rung for it. */
  private wantsData = false;
  private wantsRoom = false;
  /** Rings that have been cleared, modulo 2^32. */
  private ringsSeen = 0;
  /** The doorbell may be rung without a request; true at first, since `connect` rings it. */
  private rangSelf = true;

  constructor(end: MemoryEnd) {
    const capacity = end.buffer.byteLength / 2 - BYTE_RING_HEADER_BYTES;
    const first = new ByteRing(end.buffer, 0, capacity);
    const second = new ByteRing(end.buffer, BYTE_RING_HEADER_BYTES + capacity, capacity);
    this.fd = end.doorbell;
    this.peerDoorbell = end.peerDoorbell;
    this.remote = end.remote;
    this.outgoing = end.side === 0 ? first : second;
    this.incoming = end.side === 0 ? second : first;
  }

  send(spans: readonly Span[], spanCount: number): number {
    if (this.closed) return -EBADF;
    const ring = this.outgoing;
    if (ring.isClosed()) return -ECONNRESET;
    let taken = fillRing(ring, spans, spanCount);
    if (taken === 0 && hasBytes(spans, spanCount)) {
      this.waitForRoom();
      // The reader may have made room, or closed, between the look and the request.
      taken = fillRing(ring, spans, spanCount);
      if (taken === 0 && ring.isClosed()) return -ECONNRESET;
    }
    if (taken <= 0) return taken;
    this.wantsRoom = false;
    ring.commitWrite(taken);
    if (ring.takeSleeping()) {
      doorbellRing(this.peerDoorbell);
      ring.countReaderRing();
    }
    this.sent += taken;
    return taken;
  }

  sentBytes(): number {
    return this.sent;
  }

  receive(spans: readonly Span[], spanCount: number): number {
    if (this.closed) return -EBADF;
    const ring = this.incoming;
    let got = drainRing(ring, spans, spanCount);
    if (got === 0 && hasBytes(spans, spanCount)) {
      this.waitForData();
      // Closed is read before the last look: what was written before the closing is still delivered.
      const closed = ring.isClosed();
      got = drainRing(ring, spans, spanCount);
      if (got === 0 && closed) return -ECONNRESET;
    }
    if (got <= 0) return got;
    this.wantsData = false;
    ring.commitRead(got);
    if (ring.takeWaiting()) {
      doorbellRing(this.peerDoorbell);
      ring.countWriterRing();
    }
    return got;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    const first = !this.outgoing.isClosed();
    this.outgoing.close();
    this.incoming.close();
    if (first) doorbellRing(this.peerDoorbell);
    doorbellClear(this.fd);
    closeFd(this.fd);
    closeFd(this.peerDoorbell);
  }

  private waitForData(): void {
    if (this.hush() && this.wantsRoom && this.outgoing.room() > 0) {
      this.wantsRoom = false;
      this.ringSelf();
    }
    this.wantsData = true;
    this.incoming.askForData();
  }

  private waitForRoom(): void {
    if (this.hush() && this.wantsData && this.incoming.filled() > 0) {
      this.wantsData = false;
      this.ringSelf();
    }
    this.wantsRoom = true;
    this.outgoing.askForRoom();
  }

  /** Clears the doorbell if it has been rung; a call that repeats "nothing" costs no system call. */
  private hush(): boolean {
    const rings = (this.incoming.readerRings() + this.outgoing.writerRings()) | 0;
    if (rings === this.ringsSeen && !this.rangSelf) return false;
    this.ringsSeen = rings;
    this.rangSelf = false;
    doorbellClear(this.fd);
    return true;
  }

  private ringSelf(): void {
    this.rangSelf = true;
    doorbellRing(this.fd);
  }
}

/** Copies in what fits, not yet committed: bytes, or -EINVAL for a span outside its buffer. */
function fillRing(ring: ByteRing, spans: readonly Span[], spanCount: number): number {
  const room = ring.room();
  let taken = 0;
  for (let i = 0; i < spanCount && taken < room; i++) {
    const span = spans[i]!;
    const view = viewOf(span.buffer);
    if (!isInside(span, view)) return -EINVAL;
    const length = Math.min(span.length, room - taken);
    ring.put(view, span.offset, length, taken);
    taken += length;
  }
  return taken;
}

/** Copies out what is there, not yet committed: bytes, or -EINVAL for a span outside its buffer. */
function drainRing(ring: ByteRing, spans: readonly Span[], spanCount: number): number {
  const filled = ring.filled();
  let got = 0;
  for (let i = 0; i < spanCount && got < filled; i++) {
    const span = spans[i]!;
    const view = viewOf(span.buffer);
    if (!isInside(span, view)) return -EINVAL;
    const length = Math.min(span.length, filled - got);
    ring.take(view, span.offset, length, got);
    got += length;
  }
  return got;
}

function isInside(span: Span, view: Uint8Array): boolean {
  return span.offset >= 0 && span.length >= 0 && span.offset + span.length <= view.length;
}

function hasBytes(spans: readonly Span[], spanCount: number): boolean {
  for (let i = 0; i < spanCount; i++) if (spans[i]!.length > 0) return true;
  return false;
}
