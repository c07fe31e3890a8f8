/**
 * The way out of the app: slots into the send ring, released receive blocks on the back of other slots,
 * one doorbell for all that was written since the last flush.
 *
 * A slot can always be had. When the ring is full, slots go to a private queue that is moved into the
 * ring as the daemon makes room; what bounds the queue is what may be in flight (calls, replies, blocks).
 */
import { doorbellRing } from "@koala/native";
import { RELEASES_PER_SLOT, SLOT_WORDS, SlotFlag, SlotKind } from "@koala/protocol";
import { type RingProducer, TracePoint, tracePoints } from "@koala/shm";

/** Released blocks of this size are given back at once, so that large memory does not lie idle. */
const urgentBytesMin = 64 * 1024;

export class SlotOutbox {
  /** Where the slot of the last `reserve` lies. */
  words: Int32Array;
  /** Released receive blocks that no slot has named yet. */
  releaseCount = 0;
  private readonly ring: RingProducer;
  private readonly ringWords: Int32Array;
  private readonly daemonBell: number;
  private queue = new Int32Array(64 * SLOT_WORDS);
  private queueHead = 0;
  private queueTail = 0;
  private releases = new Int32Array(128);
  /** Something was written since the last flush. */
  isDirty = false;
  private hasUrgent = false;
  private mustRing = false;

  constructor(ring: RingProducer, ringWords: Int32Array, daemonBell: number) {
    this.ring = ring;
    this.ringWords = ringWords;
    this.daemonBell = daemonBell;
    this.words = ringWords;
  }

  /** Index of the next slot in `words`. All of words 0 to 10 must be written by the caller. */
  reserve(): number {
    this.isDirty = true;
    if (this.queueHead === this.queueTail) {
      const at = this.ring.reserve();
      if (at !== -1) {
        this.words = this.ringWords;
        return at;
      }
    }
    return this.reserveQueued();
  }

  /** Notes a receive block that this app is done with. */
  release(tag: number, offset: number, bytes: number): void {
    const at = this.releaseCount * 2;
    if (at === this.releases.length) this.releases = grown(this.releases);
    this.releases[at] = tag;
    this.releases[at + 1] = offset;
    this.releaseCount++;
    if (bytes > urgentBytesMin) this.hasUrgent = true;
  }

  /** Lets the slot at `at` name one released block, if there is one: returns the flag to set. */
  attachRelease(words: Int32Array, at: number): number {
    if (this.releaseCount === 0) return 0;
    const last = --this.releaseCount * 2;
    words[at + 12] = this.releases[last]!;
    words[at + 13] = this.releases[last + 1]!;
    return SlotFlag.RELEASES;
  }

  /** True when released blocks need slots of their own now. */
  wantsReleaseSlots(): boolean {
    return this.hasUrgent || this.releaseCount >= RELEASES_PER_SLOT;
  }

  /** The next flush rings the daemon even if it does not say that it sleeps: it waits for ring space. */
  ringAtFlush(): void {
    this.mustRing = true;
  }

  /** Makes everything that was written visible to the daemon, and wakes it if it sleeps. */
  flush(): void {
    if (this.wantsReleaseSlots()) this.writeReleases();
    if (this.queueHead !== this.queueTail) this.moveQueue();
    this.isDirty = false;
    if (tracePoints !== null) tracePoints.note(TracePoint.PUBLISHED, 0);
    this.ring.publish();
    if (this.ring.takeSleeper() || this.mustRing) {
      this.mustRing = false;
      doorbellRing(this.daemonBell);
      if (tracePoints !== null) tracePoints.note(TracePoint.RUNG, 0);
    }
  }

  /** True once the daemon showed an impossible position. */
  get corrupt(): boolean {
    return this.ring.corrupt;
  }

  /** True when the daemon has taken every slot. */
  isEmpty(slotCount: number): boolean {
    return this.queueHead === this.queueTail && this.ring.free() === slotCount;
  }

  private writeReleases(): void {
    const least = this.hasUrgent ? 1 : RELEASES_PER_SLOT;
    this.hasUrgent = false;
    while (this.releaseCount >= least) {
      const count = Math.min(this.releaseCount, RELEASES_PER_SLOT);
      const at = this.reserve();
      const { words, releases } = this;
      this.releaseCount -= count;
      const from = this.releaseCount * 2;
      words[at] = SlotKind.RELEASE | (count << 16);
      for (let i = 0; i < count * 2; i++) words[at + 1 + i] = releases[from + i]!;
    }
  }

  private reserveQueued(): number {
    if (this.queueTail === this.queue.length) this.makeRoom();
    const at = this.queueTail;
    this.queueTail += SLOT_WORDS;
    this.words = this.queue;
    return at;
  }

  private makeRoom(): void {
    const used = this.queueTail - this.queueHead;
    if (used * 2 > this.queue.length) this.queue = grown(this.queue);
    this.queue.copyWithin(0, this.queueHead, this.queueTail);
    this.queueHead = 0;
    this.queueTail = used;
  }

  /** As much of the queue as fits; asks to be woken for the rest. */
  private moveQueue(): void {
    do {
      while (this.queueHead !== this.queueTail) {
        const at = this.ring.reserve();
        if (at === -1) break;
        for (let i = 0; i < SLOT_WORDS; i++) {
          this.ringWords[at + i] = this.queue[this.queueHead + i]!;
        }
        this.queueHead += SLOT_WORDS;
      }
      if (this.queueHead === this.queueTail) {
        this.queueHead = 0;
        this.queueTail = 0;
        return;
      }
    } while (!this.ring.corrupt && !this.ring.waitForSpace());
  }
}

function grown(words: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(words.length * 2);
  larger.set(words);
  return larger;
}
