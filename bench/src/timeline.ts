/** What a client that calls all the time says of a while; see `programs/timeline-client.ts`. */

/** Watch for so long. */
export interface WatchCommand {
  readonly op: "watch";
  readonly seconds: number;
}

/** What was seen. Times are milliseconds since 1970. */
export interface Watched {
  readonly beganMs: number;
  /** When a gap between two replies began, and how long it was, ms. */
  readonly gaps: (readonly [atMs: number, ms: number])[];
  readonly callsPer10Ms: number[];
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
