/**
 * A ring of bytes between two threads, in a `SharedArrayBuffer`.
 *
 * ```
 *  byte   0  tail      bytes ever written, modulo 2^32; the writer stores it       ┐ each on a
 *        64  head      bytes ever read; the reader stores it                       │ cache line
 *       128  sleeping  the reader sets 1 when it found nothing, the writer takes it
 *       132  rings     how often the writer has rung the reader
 *       192  waiting   the writer sets 1 when it found no room, the reader takes it
 *       196  rings     how often the reader has rung the writer
 *       256  closed    1 once either end is closed
 *       320  the bytes, a power of two of them: byte p lies at p & (capacity - 1)
 * ```
 *
 * Bytes are copied with plain stores before `tail` is stored, and read after it was loaded; Atomics are
 * sequentially consistent, so after "set the flag, look again" on one side and "move, look at the flag" on
 * the other no wake-up is lost. `rings` is counted after the doorbell has been rung, so that an end knows
 * without a system call whether there is something to clear. Both ends are threads of one process and
 * trust each other.
 */
export const BYTE_RING_HEADER_BYTES = 320;
const TAIL = 0;
const HEAD = 16;
const SLEEPING = 32;
const WAITING = 48;
/** From a flag to the count of its rings. */
const RINGS = 1;
const CLOSED = 64;

/** Below this many bytes a loop is faster than making a view for `set` (about 150 ns). */
const loopBytesMax = 96;

export class ByteRing {
  readonly capacity: number;
  private readonly words: Int32Array;
  private readonly bytes: Uint8Array;

  /** The ring that begins at byte `start` of the buffer and holds `capacity` bytes, a power of two. */
  constructor(buffer: SharedArrayBuffer, start: number, capacity: number) {
    this.capacity = capacity;
    this.words = new Int32Array(buffer, start, BYTE_RING_HEADER_BYTES / 4);
    this.bytes = new Uint8Array(buffer, start + BYTE_RING_HEADER_BYTES, capacity);
  }

  /** Bytes to read. */
  filled(): number {
    return (Atomics.load(this.words, TAIL) - Atomics.load(this.words, HEAD)) | 0;
  }

  /** Bytes that can be written. */
  room(): number {
    return this.capacity - this.filled();
  }

  /** Copies in `length` bytes, `ahead` bytes behind the tail; they count once `commitWrite` says so. */
  put(source: Uint8Array, offset: number, length: number, ahead: number): void {
    const start = (this.words[TAIL]! + ahead) & (this.capacity - 1);
    const first = Math.min(length, this.capacity - start);
    copy(source, offset, this.bytes, start, first);
    if (first < length) copy(source, offset + first, this.bytes, 0, length - first);
  }

  /** Shows `length` further bytes to the reader. */
  commitWrite(length: number): void {
    Atomics.store(this.words, TAIL, (this.words[TAIL]! + length) | 0);
  }

  /** Copies out `length` bytes, `ahead` bytes behind the head. */
  take(target: Uint8Array, offset: number, length: number, ahead: number): void {
    const start = (this.words[HEAD]! + ahead) & (this.capacity - 1);
    const first = Math.min(length, this.capacity - start);
    copy(this.bytes, start, target, offset, first);
    if (first < length) copy(this.bytes, 0, target, offset + first, length - first);
  }

  /** Gives `length` bytes of room back to the writer. */
  commitRead(length: number): void {
    Atomics.store(this.words, HEAD, (this.words[HEAD]! + length) | 0);
  }

  /** The reader asks for a wake-up; look again afterwards. */
  askForData(): void {
    Atomics.store(this.words, SLEEPING, 1);
  }

  /** True when the reader has asked: ring its doorbell, then `countReaderRing`. */
  takeSleeping(): boolean {
    return this.takeFlag(SLEEPING);
  }

  countReaderRing(): void {
    Atomics.add(this.words, SLEEPING + RINGS, 1);
  }

  readerRings(): number {
    return Atomics.load(this.words, SLEEPING + RINGS);
  }

  /** The writer asks for a wake-up once there is room; look again afterwards. */
  askForRoom(): void {
    Atomics.store(this.words, WAITING, 1);
  }

  /** True when the writer has asked: ring its doorbell, then `countWriterRing`. */
  takeWaiting(): boolean {
    return this.takeFlag(WAITING);
  }

  countWriterRing(): void {
    Atomics.add(this.words, WAITING + RINGS, 1);
  }

  writerRings(): number {
    return Atomics.load(this.words, WAITING + RINGS);
  }

  close(): void {
    Atomics.store(this.words, CLOSED, 1);
  }

  isClosed(): boolean {
    return Atomics.load(this.words, CLOSED) !== 0;
  }

  private takeFlag(flag: number): boolean {
    if (Atomics.load(this.words, flag) === 0) return false;
    return Atomics.exchange(this.words, flag, 0) !== 0;
  }
}

function copy(
  source: Uint8Array,
  sourceStart: number,
  target: Uint8Array,
  targetStart: number,
  length: number,
): void {
  if (length > loopBytesMax) {
    target.set(source.subarray(sourceStart, sourceStart + length), targetStart);
    return;
  }
  for (let i = 0; i < length; i++) target[targetStart + i] = source[sourceStart + i]!;
}
