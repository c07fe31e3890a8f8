/** Calls whose message waits for room at one party, first come first served. */
import type { Call } from "./call.ts";
import type { Router } from "./router.ts";

interface Entry {
  readonly call: Call;
  readonly id: number;
}

export class ParkQueue {
  private entries: Entry[] = [];
  private draining = false;
  private readonly router: Router;

  constructor(router: Router) {
    this.router = router;
  }

  get length(): number {
    return this.entries.length;
  }

  /** Appends a call; one that is being offered again by `drain` keeps its place instead. */
  push(call: Call): void {
    if (!this.draining) this.entries.push({ call, id: call.id });
  }

  /** Offers the parked messages again, until one finds no room. */
  drain(): void {
    if (this.draining) return;
    this.draining = true;
    let done = 0;
    for (; done < this.entries.length; done++) {
      const { call, id } = this.entries[done]!;
      // A call that ended meanwhile has given its id up.
      if (call.open && call.id === id && !this.router.offerAgain(call)) break;
    }
    this.entries = done === this.entries.length ? [] : this.entries.slice(done);
    this.draining = false;
  }
}
