/** The time of day for times of a monotonic clock. */

/** A larger difference means that somebody has set the clock. */
const stepMicros = 2000;

/**
 * `Date.now()` cuts off up to a millisecond, so that of several looks the largest difference to the
 * monotonic clock is the best: it comes close to the true one, and spans of one trace that were made in
 * different places do not appear shuffled.
 */
export class WallClock {
  private best = Number.NEGATIVE_INFINITY;

  /** What has to be added to the monotonic clock to get microseconds since 1970. */
  offsetMicros(wallMs: number, monotonicMicros: number): number {
    const seen = wallMs * 1000 - monotonicMicros;
    if (seen > this.best || seen < this.best - stepMicros) this.best = seen;
    return this.best;
  }
}
