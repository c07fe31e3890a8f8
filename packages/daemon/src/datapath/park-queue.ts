/** Calls whose message waits for something, first come first served. A call is in one queue at most. */
import type { Call } from "./call.ts";

export class ParkQueue {
  // A Set keeps the order of insertion and forgets in constant time a call that ends while it waits.
  private readonly calls = new Set<Call>();
  private draining = false;
  private readonly offer: (call: Call) => boolean;

  /** `offer` offers a call's message again and says whether it is not parked any more. */
  constructor(offer: (call: Call) => boolean) {
    this.offer = offer;
  }

  get length(): number {
    return this.calls.size;
  }

  /** Those that wait, first come first. */
  waiting(): Call[] {
    return [...this.calls];
  }

  /** Appends a call; one that is here already keeps its place. */
  push(call: Call): void {
    if (call.queue !== this) call.queue?.remove(call);
    this.calls.add(call);
    call.queue = this;
  }

  /** The call ends, or goes elsewhere. */
  remove(call: Call): void {
    this.calls.delete(call);
    call.queue = null;
  }

  /** Offers the parked messages again, until one finds no room. */
  drain(): void {
    if (this.draining) return;
    this.draining = true;
    for (const call of this.calls) {
      if (!this.offer(call)) break;
      if (call.queue === this) this.remove(call);
    }
    this.draining = false;
  }

  /** Offers all of them again, whatever comes of the others; those that must wait come back. */
  drainAll(): void {
    const calls = [...this.calls];
    for (const call of calls) this.remove(call);
    for (const call of calls) this.offer(call);
  }
}
