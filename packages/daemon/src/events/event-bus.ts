/**
 * The event bus of the daemon's main thread. Whoever publishes never waits: the last events are kept in a
 * ring for those who come later, and each subscriber has a bounded queue that loses its oldest events, and
 * counts them, when the subscriber does not keep up.
 */
import type { DaemonEvent, EventFields, EventGap, EventTopic } from "@koala/protocol";
import { EventQueue } from "./event-queue.ts";

/** Sizes of a bus. */
export interface EventBusOptions {
  /** Events that are kept for late subscribers. Default 1000. */
  kept?: number;
  /** Events that wait for one subscriber. Default 1000. */
  queued?: number;
}

/** What a subscriber wants. */
export interface EventFilter {
  /** Default: all. */
  topics?: readonly EventTopic[] | undefined;
  /** Only events behind this number. Default 0: all that are kept. */
  since?: number | undefined;
  /** At most so many of those that are kept, the newest. Default: all. */
  last?: number | undefined;
}

/** One reader of the bus. */
export interface Subscription {
  /** The next event, or how many were lost before it; undefined when there is none now. */
  take(): DaemonEvent | EventGap | undefined;
  close(): void;
}

interface Subscriber {
  readonly topics: ReadonlySet<EventTopic> | undefined;
  readonly queue: EventQueue;
  readonly wake: () => void;
}

/** See the file's comment. */
export class EventBus {
  private readonly queued: number;
  private readonly recent: EventQueue;
  private readonly subscribers = new Set<Subscriber>();
  private seq = 0;

  constructor({ kept = 1000, queued = 1000 }: EventBusOptions = {}) {
    this.queued = queued;
    this.recent = new EventQueue(kept);
  }

  /** Number of the last event; 0 before the first. */
  get lastSeq(): number {
    return this.seq;
  }

  /** Tells everybody. Never throws, never waits. */
  publish(
    topic: EventTopic,
    name: string,
    fields: EventFields = {},
    timeMs: number = Date.now(),
  ): void {
    const time = new Date(timeMs).toISOString();
    const event: DaemonEvent = { seq: ++this.seq, time, topic, name, fields };
    this.recent.put(event);
    for (const { topics, queue, wake } of this.subscribers) {
      if (topics !== undefined && !topics.has(topic)) continue;
      queue.put(event);
      // With one event in the queue the subscriber has been told before, and has not come back yet.
      if (queue.count === 1) wake();
    }
  }

  /** The kept events that a filter lets through, oldest first. */
  history({ topics, since = 0, last }: EventFilter = {}): DaemonEvent[] {
    const found = this.recent
      .list()
      .filter(
        (event) => event.seq > since && (topics === undefined || topics.includes(event.topic)),
      );
    return last === undefined ? found : found.slice(Math.max(0, found.length - last));
  }

  /** How many events behind `since` are not kept any more, of whatever topic. */
  lostSince(since: number): number {
    const oldest = this.recent.first()?.seq ?? this.seq + 1;
    return Math.max(0, oldest - since - 1);
  }

  /** From now on; begins with the kept events. `wake` is called when there is something after nothing. */
  subscribe(filter: EventFilter, wake: () => void): Subscription {
    const topics = filter.topics === undefined ? undefined : new Set(filter.topics);
    const queue = new EventQueue(this.queued);
    for (const event of this.history(filter)) queue.put(event);
    const subscriber: Subscriber = { topics, queue, wake };
    this.subscribers.add(subscriber);
    return {
      take: () => queue.take(),
      close: () => void this.subscribers.delete(subscriber),
    };
  }
}
