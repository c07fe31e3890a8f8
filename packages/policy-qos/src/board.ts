/**
 * What the instances of all runtimes know of each other's calls, in shared memory:
 *
 * ```
 * 32-bit words   by class: calls in flight
 * doubles        by class: when the last call ended, ms of the monotonic clock; when the next one may
 *                begin while a higher class is active
 * ```
 *
 * The doubles are plain stores of different threads: whoever wins, the value is one that was right.
 */
import { classesMax } from "./config.ts";

/** Bytes of the shared memory. */
export const boardBytes: number = classesMax * (4 + 8 + 8);

export class Board {
  private readonly inFlight: Int32Array;
  private readonly endedMs: Float64Array;
  private readonly nextMs: Float64Array;

  constructor(shared: SharedArrayBuffer) {
    this.endedMs = new Float64Array(shared, 0, classesMax);
    this.nextMs = new Float64Array(shared, classesMax * 8, classesMax);
    this.inFlight = new Int32Array(shared, classesMax * 16, classesMax);
  }

  began(index: number): void {
    Atomics.add(this.inFlight, index, 1);
  }

  ended(index: number, nowMs: number): void {
    Atomics.sub(this.inFlight, index, 1);
    this.endedMs[index] = nowMs;
  }

  /** Calls of a class in all runtimes. */
  count(index: number): number {
    return Atomics.load(this.inFlight, index);
  }

  /** 0 while a call is in flight, else how long the class counts as active still; negative: it does not. */
  activeForMs(index: number, nowMs: number, lingerMs: number): number {
    if (this.count(index) > 0) return 0;
    const endedMs = this.endedMs[index]!;
    return endedMs === 0 ? -1 : endedMs + lingerMs - nowMs;
  }

  mayBeginAtMs(index: number): number {
    return this.nextMs[index]!;
  }

  setNext(index: number, atMs: number): void {
    this.nextMs[index] = atMs;
  }
}
