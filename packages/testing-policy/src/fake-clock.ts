/** A clock that stands still until it is told to go on. */
import type { PolicyTimer } from "@koala/policy";

interface Armed {
  readonly dueMs: number;
  readonly fire: () => void;
}

/** May be shared by several harnesses, which then are runtimes of one daemon. */
export class FakeClock {
  /** Monotonic, as `ctx.nowMs()` shows it. Not 0, so that nobody takes 0 for a moment. */
  nowMs = 1_000_000;
  private readonly armed = new Set<Armed>();
  private readonly listeners: (() => void)[] = [];

  /** Timers that wait. */
  get pending(): number {
    return this.armed.size;
  }

  timer(fire: () => void): PolicyTimer {
    let current: Armed | undefined;
    const clear = (): void => {
      if (current !== undefined) this.armed.delete(current);
      current = undefined;
    };
    const fireOnce = (): void => {
      current = undefined;
      fire();
    };
    return {
      clear,
      set: (afterMs) => {
        clear();
        // As in a runtime: whole milliseconds, never early, never at once.
        const dueMs = Math.max(Math.ceil(this.nowMs + afterMs), Math.floor(this.nowMs) + 1);
        current = { dueMs, fire: fireOnce };
        this.armed.add(current);
      },
    };
  }

  /** What to do after each step of the clock. */
  onStep(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Goes on by this time, and fires what becomes due on the way, in order, each at its moment. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    for (let next = this.next(endMs); next !== undefined; next = this.next(endMs)) {
      this.armed.delete(next);
      this.nowMs = Math.max(this.nowMs, next.dueMs);
      next.fire();
      for (const listener of this.listeners) listener();
    }
    this.nowMs = endMs;
    for (const listener of this.listeners) listener();
  }

  private next(endMs: number): Armed | undefined {
    let first: Armed | undefined;
    for (const timer of this.armed) {
      if (timer.dueMs <= endMs && (first === undefined || timer.dueMs < first.dueMs)) first = timer;
    }
    return first;
  }
}
