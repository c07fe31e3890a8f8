/** What a client that calls all the time says of a while; see `programs/watched-calls.ts`. */

/** Watch for so long. */
export interface WatchCommand {
  readonly op: "watch";
  readonly seconds: number;
  /** Replies are counted in steps of so many milliseconds; 10 when not given. */
  readonly stepMs?: number;
}

/** What was seen. Times are milliseconds since 1970. */
export interface Watched {
  readonly beganMs: number;
  /** When a gap between two replies began, and how long it was, ms. */
  readonly gaps: (readonly [atMs: number, ms: number])[];
  /** Replies in each step. */
  readonly callsPerStep: number[];
  /** Of a client that calls at a pace: when each call was due, and how long after that its reply came, ms. */
  readonly latencies: (readonly [dueMs: number, ms: number])[];
  failed: number;
}

/** The longest gap that has to do with what happened between the two moments, ms. */
export function longestGap({ gaps }: Watched, fromMs: number, toMs: number): number {
  let longest = 0;
  for (const [atMs, ms] of gaps) {
    if (atMs <= toMs && atMs + ms >= fromMs) longest = Math.max(longest, ms);
  }
  return longest;
}

/** The longest latency of the calls that were due or under way between the two moments, ms. */
export function longestLatency({ latencies }: Watched, fromMs: number, toMs: number): number {
  let longest = 0;
  for (const [dueMs, ms] of latencies) {
    if (dueMs <= toMs && dueMs + ms >= fromMs) longest = Math.max(longest, ms);
  }
  return longest;
}
