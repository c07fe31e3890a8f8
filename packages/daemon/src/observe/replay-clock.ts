/** The time of calls that are replayed: it stands still between them, and timers fire on the way. */
import type { PolicyTimer } from "@koala/policy";

interface Armed {
  readonly dueMs: number;
  readonly fire: () => void;
}

/** Timers that may fire on the way to one call: a policy that arms one in each must not hang the trial. */
const firesMax = 100_000;

export class ReplayClock {
  nowMs = 0;
  private readonly armed = new Map<PolicyTimer, Armed>();
  private fires = 0;

  timer(fire: () => void): PolicyTimer {
    const timer: PolicyTimer = {
      set: (afterMs) => {
        this.armed.set(timer, { dueMs: this.nowMs + Math.max(0, afterMs), fire });
      },
      clear: () => {
        this.armed.delete(timer);
      },
    };
    return timer;
  }

  /** Goes on to a moment, firing what is due until then, in order. */
  advance(toMs: number): void {
    for (; this.fires < firesMax; this.fires++) {
      let next: [PolicyTimer, Armed] | undefined;
      for (const entry of this.armed)
        if (next === undefined || entry[1].dueMs < next[1].dueMs) next = entry;
      if (next === undefined || next[1].dueMs > toMs) break;
      const [timer, { dueMs, fire }] = next;
      this.armed.delete(timer);
      this.nowMs = Math.max(this.nowMs, dueMs);
      fire();
    }
    this.nowMs = Math.max(this.nowMs, toMs);
  }
}
