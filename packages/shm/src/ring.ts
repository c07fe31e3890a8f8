/**
 * The single-producer single-consumer ring of 64-byte slots, in memory that two processes map.
 *
 * ```
 *  byte    0  tail      producer stores (release), consumer loads (acquire)   ┐ each on a
 *         64  head      consumer stores (release), producer loads (acquire)   │ cache line
 *        128  sleeping  consumer sets 1 before it sleeps, producer takes it   │ of its own
 *        192  waiting   producer sets 1 when full, consumer takes it          ┘
 *        256  slot 0 │ slot 1 │ … │ slot n-1          n a power of two, 64 bytes each
 *
 *        head ──▶ ■■■■■■■■ ──▶ tail      head and tail count slots for ever, modulo 2^32;
 *                 filled                 filled = tail - head, slot = position & (n - 1)
 * ```
 *
 * Order. The producer writes slots with plain stores and then stores `tail`; the consumer loads `tail`
 * and then reads slots: `Atomics.store` is the release and `Atomics.load` the acquire that make the
 * slots visible. The same the other way round for `head`, so a slot is never overwritten while it is
 * read. Atomics are sequentially consistent, which the wake-up needs: the consumer stores `sleeping`
 * and then loads `tail`, the producer stores `tail` and then loads `sleeping`; one of them must see the
 * other, so no wake-up is lost.
 *
 * Trust. Either side may be hostile to the other: positions are checked where they are loaded
 * (`corrupt` turns true and stays so), and slots must be copied out before they are checked and used.
 * If the other process dies, its position just stops moving.
 */
import { assert } from "@koala/interface";
import type { Memory } from "./memory.ts";

/** Bytes of a slot. */
export const RING_SLOT_BYTES = 64;
/** Bytes from the start of a ring to its first slot. */
export const RING_HEADER_BYTES = 256;
/** Bytes from the start of a ring to its words. */
export const RING_TAIL_OFFSET = 0;
export const RING_HEAD_OFFSET = 64;
export const RING_SLEEPING_OFFSET = 128;
export const RING_WAITING_OFFSET = 192;

const WORDS_PER_LINE = 16;
const TAIL: number = RING_TAIL_OFFSET / 4;
const HEAD: number = RING_HEAD_OFFSET / 4;
const SLEEPING: number = RING_SLEEPING_OFFSET / 4;
const WAITING: number = RING_WAITING_OFFSET / 4;
const SLOTS: number = RING_HEADER_BYTES / 4;

/** Bytes of shared memory that a ring with so many slots takes. */
export function ringBytes(slotCount: number): number {
  return RING_HEADER_BYTES + slotCount * RING_SLOT_BYTES;
}

function checkShape(memory: Memory, offset: number, slotCount: number): void {
  assert(slotCount >= 2 && (slotCount & (slotCount - 1)) === 0, "ring slots are a power of two");
  assert(offset % RING_SLOT_BYTES === 0, "a ring starts on a cache line");
  assert(offset + ringBytes(slotCount) <= memory.buffer.byteLength, "the ring fits its region");
}

/** The writing end. Used by one thread. */
export class RingProducer {
  /** True once the consumer showed an impossible position; the ring must not be used any more. */
  corrupt = false;
  private readonly words: Int32Array;
  private readonly base: number;
  private readonly slotCount: number;
  private tail: number;
  private published: number;
  private head: number;

  constructor(memory: Memory, offset: number, slotCount: number) {
    checkShape(memory, offset, slotCount);
    this.words = memory.i32;
    this.base = offset >> 2;
    this.slotCount = slotCount;
    this.tail = Atomics.load(this.words, this.base + TAIL);
    this.published = this.tail;
    this.head = Atomics.load(this.words, this.base + HEAD);
    const filled = (this.tail - this.head) | 0;
    if (filled < 0 || filled > slotCount) this.fail();
  }

  /** Index (in 32-bit words) of the next free slot, now taken; -1 when the ring is full or corrupt. */
  reserve(): number {
    if (((this.tail - this.head) | 0) === this.slotCount && !this.refresh()) return -1;
    const index = this.base + SLOTS + (this.tail & (this.slotCount - 1)) * WORDS_PER_LINE;
    this.tail = (this.tail + 1) | 0;
    return index;
  }

  /** Slots that can be reserved now. */
  free(): number {
    this.refresh();
    return this.corrupt ? 0 : this.slotCount - ((this.tail - this.head) | 0);
  }

  /** Makes reserved slots visible to the consumer. */
  publish(): void {
    if (this.published === this.tail) return;
    this.published = this.tail;
    Atomics.store(this.words, this.base + TAIL, this.tail);
  }

  /** After `publish`: true if the consumer sleeps and must be woken, by this producer and only now. */
  takeSleeper(): boolean {
    if (Atomics.load(this.words, this.base + SLEEPING) === 0) return false;
    return Atomics.exchange(this.words, this.base + SLEEPING, 0) !== 0;
  }

  /**
   * Asks for a wake-up once slots are free; returns false if there are some already. True for a corrupt
   * ring, too, where no wake-up will come.
   */
  waitForSpace(): boolean {
    Atomics.store(this.words, this.base + WAITING, 1);
    if (this.free() === 0) return true;
    Atomics.store(this.words, this.base + WAITING, 0);
    return false;
  }

  private refresh(): boolean {
    if (this.corrupt) return false;
    const head = Atomics.load(this.words, this.base + HEAD);
    const filled = (this.tail - head) | 0;
    const unpublished = (this.tail - this.published) | 0;
    // The head moves forward only, and never past what was published.
    if (filled < unpublished || filled > ((this.tail - this.head) | 0)) {
      this.fail();
      return false;
    }
    this.head = head;
    return filled < this.slotCount;
  }

  /** From now on the ring counts as full, which keeps `reserve` free of a check of its own. */
  private fail(): void {
    this.corrupt = true;
    this.head = (this.tail - this.slotCount) | 0;
  }
}

/** The reading end. Used by one thread. */
export class RingConsumer {
  /** True once the producer showed an impossible position; the ring must not be used any more. */
  corrupt = false;
  private readonly words: Int32Array;
  private readonly base: number;
  private readonly slotCount: number;
  private head: number;
  private released: number;
  private tail: number;

  constructor(memory: Memory, offset: number, slotCount: number) {
    checkShape(memory, offset, slotCount);
    this.words = memory.i32;
    this.base = offset >> 2;
    this.slotCount = slotCount;
    this.head = Atomics.load(this.words, this.base + HEAD);
    this.released = this.head;
    this.tail = this.head;
  }

  /** Index (in 32-bit words) of the next filled slot; -1 when there is none or the ring is corrupt. */
  next(): number {
    if (this.head === this.tail && !this.refresh()) return -1;
    const index = this.base + SLOTS + (this.head & (this.slotCount - 1)) * WORDS_PER_LINE;
    this.head = (this.head + 1) | 0;
    return index;
  }

  /** Whether `next` would find a slot. */
  hasNext(): boolean {
    return this.head !== this.tail || Atomics.load(this.words, this.base + TAIL) !== this.head;
  }

  /** Takes back the last `next`: the slot stays in the ring. Only before `release`. */
  unread(): void {
    this.head = (this.head - 1) | 0;
  }

  /** Gives the slots that were read back to the producer; true if it waits for them and must be woken. */
  release(): boolean {
    if (this.released === this.head) return false;
    this.released = this.head;
    Atomics.store(this.words, this.base + HEAD, this.head);
    if (Atomics.load(this.words, this.base + WAITING) === 0) return false;
    return Atomics.exchange(this.words, this.base + WAITING, 0) !== 0;
  }

  /** Asks to be woken; false if there is work already (then the request is taken back). */
  sleep(): boolean {
    Atomics.store(this.words, this.base + SLEEPING, 1);
    if (Atomics.load(this.words, this.base + TAIL) === this.head) return true;
    Atomics.store(this.words, this.base + SLEEPING, 0);
    return false;
  }

  /** Takes a request to be woken back, when something else did. */
  awake(): void {
    Atomics.store(this.words, this.base + SLEEPING, 0);
  }

  private refresh(): boolean {
    if (this.corrupt) return false;
    const tail = Atomics.load(this.words, this.base + TAIL);
    const filled = (tail - this.head) | 0;
    if (filled < 0 || filled > this.slotCount) {
      this.corrupt = true;
      return false;
    }
    this.tail = tail;
    return filled > 0;
  }
}
