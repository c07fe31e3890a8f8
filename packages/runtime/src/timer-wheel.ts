/**
 * Deadlines and other timers of one runtime: a hashed timing wheel (Varghese and Lauck, 1987, scheme 6)
 * with buckets of one millisecond. Adding and removing a timer costs a few pointer writes; most timers
 * of calls are removed long before they are due.
 */

/** Something that is due at a moment. Embedded in longer-lived objects, so that none is made per call. */
export class Timer {
  /** Due, in ms of the runtime's clock; meaningful while it is in a wheel. */
  dueMs = 0;
  /** Called by the wheel, after the timer has left it. */
  readonly fire: () => void;
  next: Timer | null = null;
  previous: Timer | null = null;
  bucket = -1;

  constructor(fire: () => void) {
    this.fire = fire;
  }
}

const BUCKETS = 1024;

export class TimerWheel {
  /** Timers that are waiting. */
  count = 0;
  private readonly heads: (Timer | null)[] = new Array<Timer | null>(BUCKETS).fill(null);
  private nowMs: number;

  constructor(nowMs: number) {
    this.nowMs = Math.floor(nowMs);
  }

  /** Arms a timer, or moves it; a moment that has passed fires at the next `advance`. */
  set(timer: Timer, dueMs: number): void {
    if (timer.bucket >= 0) this.clear(timer);
    const due = Math.max(Math.ceil(dueMs), this.nowMs + 1);
    const bucket = due & (BUCKETS - 1);
    const head = this.heads[bucket]!;
    timer.dueMs = due;
    timer.bucket = bucket;
    timer.previous = null;
    timer.next = head;
    if (head !== null) head.previous = timer;
    this.heads[bucket] = timer;
    this.count++;
  }

  /** Disarms a timer; fine if it is not armed. */
  clear(timer: Timer): void {
    if (timer.bucket < 0) return;
    const { next, previous } = timer;
    if (next !== null) next.previous = previous;
    if (previous !== null) previous.next = next;
    else this.heads[timer.bucket] = next;
    timer.next = null;
    timer.previous = null;
    timer.bucket = -1;
    this.count--;
  }

  /** Fires what is due at this moment. */
  advance(nowMs: number): void {
    const now = Math.floor(nowMs);
    if (now <= this.nowMs) return;
    const from = Math.max(this.nowMs + 1, now - BUCKETS + 1);
    this.nowMs = now;
    if (this.count === 0) return;
    for (let tick = from; tick <= now; tick++) this.fireBucket(tick & (BUCKETS - 1), now);
  }

  /** Milliseconds until `advance` may have to fire something; -1 when no timer is armed. */
  untilNextMs(nowMs: number): number {
    if (this.count === 0) return -1;
    for (let ahead = 1; ahead < BUCKETS; ahead++) {
      if (this.heads[(this.nowMs + ahead) & (BUCKETS - 1)] !== null) {
        return Math.max(0, this.nowMs + ahead - nowMs);
      }
    }
    return Math.max(0, this.nowMs + BUCKETS - nowMs);
  }

  private fireBucket(bucket: number, now: number): void {
    let timer = this.heads[bucket]!;
    while (timer !== null) {
      const next: Timer | null = timer.next;
      if (timer.dueMs <= now) {
        this.clear(timer);
        timer.fire();
        // Firing may have changed the bucket: start over, what is left of it is short.
        timer = this.heads[bucket]!;
      } else {
        timer = next!;
      }
    }
  }
}
