/** A bounded queue of events that loses the oldest and knows how many. */
import type { DaemonEvent, EventGap } from "@koala/protocol";

/** A ring of at most `limit` events. */
export class EventQueue {
  private readonly limit: number;
  private readonly events: (DaemonEvent | undefined)[] = [];
  private head = 0;
  private lost = 0;
  /** Events that wait. */
  count = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Puts an event at the end; the oldest one gives way when there is no room. */
  put(event: DaemonEvent): void {
    if (this.count === this.limit) {
      this.events[this.head] = event;
      this.head = (this.head + 1) % this.limit;
      this.lost++;
      return;
    }
    this.events[(this.head + this.count) % this.limit] = event;
    this.count++;
  }

  /** Takes the oldest away; before it, once, how many were lost. */
  take(): DaemonEvent | EventGap | undefined {
    if (this.lost > 0) {
      const gap: EventGap = { dropped: this.lost };
      this.lost = 0;
      return gap;
    }
    if (this.count === 0) return undefined;
    const event = this.events[this.head];
    this.events[this.head] = undefined;
    this.head = (this.head + 1) % this.limit;
    this.count--;
    return event;
  }

  /** The oldest, which stays. */
  first(): DaemonEvent | undefined {
    return this.count === 0 ? undefined : this.events[this.head];
  }

  /** All that wait, oldest first; they stay. */
  list(): DaemonEvent[] {
    return Array.from({ length: this.count }, (_, i) => this.events[(this.head + i) % this.limit]!);
  }
}
