/**
 * Events: what has happened in a daemon, as `GET /v1/events` gives it. With `follow=1` the answer is a
 * stream of lines (NDJSON), each a `DaemonEvent` or, where the reader was too slow, an `EventGap`.
 */

/** What an event is about; a reader names the topics that it wants. */
export const eventTopics = [
  "app",
  "link",
  "service",
  "policy",
  "config",
  "upgrade",
  "runtime",
  "daemon",
] as const;
export type EventTopic = (typeof eventTopics)[number];

/** What stands behind an event: plain values by name. */
export type EventFields = Readonly<Record<string, string | number | boolean>>;

/** Something that has happened. */
export interface DaemonEvent {
  /** 1 for the first of a daemon; grows by one with each event. */
  seq: number;
  /** When it happened, ISO 8601. */
  time: string;
  topic: EventTopic;
  /** What it is: `attached`, `up`, `denied` …; docs/reference/events.md lists them. */
  name: string;
  fields: EventFields;
}

/** The header in which a stream names the sequence of its events, as `EventsAnswer.bus` does. */
export const eventBusHeader = "koala-event-bus";

/** Events that this reader has not got because it read too slowly. */
export interface EventGap {
  dropped: number;
}

/** The answer of `GET /v1/events` without `follow`. */
export interface EventsAnswer {
  /** Names the sequence that `seq` counts in; another one after the daemon was killed and started again. */
  bus: string;
  /** Oldest first. */
  events: DaemonEvent[];
  /** Events behind `since` that the daemon does not keep any more. */
  dropped: number;
}
