/**
 * The event bus of the daemon's main thread. Whoever publishes never waits: the last events are kept in a
 * ring for those who come later, and each subscriber has a bounded queue that loses its oldest events, and
 * counts them, when the subscriber does not keep up.
 */
import { randomUUID } from "node:crypto";
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

/** A bus as plain data, for the daemon process that takes over. */
export interface EventBusState {
  readonly id: string;
  readonly seq: number;
  readonly recent: readonly DaemonEvent[];
}

interface Held {
  readonly topic: EventTopic;
  readonly name: string;
  readonly fields: EventFields;
  readonly timeMs: number;
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
  private name: string = randomUUID();
  /** Events since `save`, which the process that takes over must not number a second time. */
  private held: Held[] | undefined;

  constructor({ kept = 1000, queued = 1000 }: EventBusOptions = {}) {
    this.queued = queued;
    this.recent = new EventQueue(kept);
  }

  /** Names the bus: numbers of events mean something only within one. */
  get id(): string {
    return this.name;
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
    if (this.held !== undefined) {
      // Bounded like everything else; a process that hands over ends, or goes on, within seconds.
      if (this.held.length < this.queued) this.held.push({ topic, name, fields, timeMs });
      return;
    }
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

  /** For another process that goes on with the numbers. What is published from now on waits for `resume`. */
  save(): EventBusState {
    this.held ??= [];
    return { id: this.name, seq: this.seq, recent: this.recent.list() };
  }

  /** Nobody has taken over: tells what has waited. */
  resume(): void {
    const held = this.held ?? [];
    this.held = undefined;
    for (const { topic, name, fields, timeMs } of held) this.publish(topic, name, fields, timeMs);
  }

  /** Goes on where another process has saved; what this one has published already comes behind it. */
  restore({ id, seq, recent }: EventBusState): void {
    const own = this.recent.list();
    while (this.recent.count > 0) this.recent.take();
    this.name = id;
    this.seq = seq;
    for (const event of recent) this.recent.put(event);
    for (const { topic, name, fields, time } of own)
      this.publish(topic, name, fields, Date.parse(time));
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
