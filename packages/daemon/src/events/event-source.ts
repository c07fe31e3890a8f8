/**
 * Events that others can cause as often as they like, bounded by a rate: a flood (a policy that denies
 * every call, an app that connects again and again) costs neither the thread nor the bus much. Each topic has its own allowance: a flood of denials does
 * not hide that an app went away. What was left out is counted, and the count follows by a timer even if
 * no further event does.
 */
import type { EventFields, EventTopic } from "@koala/protocol";

/** Events of one topic at once. */
const burst = 64;
/** Events of one topic per second in the long run. */
const perSecond = 32;
/** How long after a loss it is told at the latest. */
const reportMs = 1000;

/** What crosses to the main thread. */
export interface EventNotice {
  readonly op: "event";
  readonly topic: EventTopic;
  readonly name: string;
  readonly fields: EventFields;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
}

/** Tells the daemon what has happened; for code of a runtime's thread. */
export type EmitEvent = (topic: EventTopic, name: string, fields?: EventFields) => void;

/** What a source needs from its thread. */
export interface EventSourceOptions {
  /** Stands in every event as `runtime`; undefined on the main thread. */
  runtime: number | undefined;
  post: (notice: EventNotice) => void;
  /** Monotonic. */
  nowMs: () => number;
  /** Calls `report` after some time; only one call is outstanding. */
  reportLater: (afterMs: number) => void;
}

interface Allowance {
  tokens: number;
  atMs: number;
  dropped: number;
}

/** See the file's comment. */
export class EventSource {
  private readonly options: EventSourceOptions;
  private readonly allowances = new Map<EventTopic, Allowance>();
  private willReport = false;

  constructor(options: EventSourceOptions) {
    this.options = options;
  }

  /** Publishes an event, or counts it as dropped. */
  readonly emit: EmitEvent = (topic, name, fields = {}) => {
    const allowance = this.allowanceOf(topic);
    if (allowance.tokens >= 1) {
      allowance.tokens--;
      this.post(topic, name, fields);
      return;
    }
    allowance.dropped++;
    if (this.willReport) return;
    this.willReport = true;
    this.options.reportLater(reportMs);
  };

  /** Tells how many were dropped, a `dropped` event for each topic; what `reportLater` asks for. */
  report(): void {
    this.willReport = false;
    for (const [topic, allowance] of this.allowances) {
      if (allowance.dropped > 0) this.post(topic, "dropped", { count: allowance.dropped });
      allowance.dropped = 0;
    }
  }

  private allowanceOf(topic: EventTopic): Allowance {
    const now = this.options.nowMs();
    let allowance = this.allowances.get(topic);
    if (allowance === undefined) {
      allowance = { tokens: burst, atMs: now, dropped: 0 };
      this.allowances.set(topic, allowance);
    }
    const earned = ((now - allowance.atMs) * perSecond) / 1000;
    allowance.tokens = Math.min(burst, allowance.tokens + earned);
    allowance.atMs = now;
    return allowance;
  }

  private post(topic: EventTopic, name: string, fields: EventFields): void {
    const { runtime, post } = this.options;
    const all = runtime === undefined ? fields : { ...fields, runtime };
    post({ op: "event", topic, name, fields: all, timeMs: Date.now() });
  }
}
