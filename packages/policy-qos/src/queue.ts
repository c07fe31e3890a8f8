/** Calls of one class that wait: earliest deadline first, then first come first served. */
import type { PolicyCall } from "@koala/policy";

/** A call and when its deadline is, ms of the monotonic clock; Infinity without one. */
export interface Waiting {
  readonly call: PolicyCall;
  readonly deadlineMs: number;
}

export class DeadlineQueue {
  private readonly items: Waiting[] = [];

  get length(): number {
    return this.items.length;
  }

  push(item: Waiting): void {
    const { items } = this;
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (items[middle]!.deadlineMs <= item.deadlineMs) low = middle + 1;
      else high = middle;
    }
    items.splice(low, 0, item);
  }

  shift(): Waiting | undefined {
    return this.items.shift();
  }

  remove(item: Waiting): void {
    const index = this.items.indexOf(item);
    if (index >= 0) this.items.splice(index, 1);
  }
}
