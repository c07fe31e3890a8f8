/** How often failed runtimes are made anew before the daemon gives up: so many in a span of time. */
export class RestartBudget {
  readonly max: number;
  readonly spanMs: number;
  private readonly moments: number[] = [];

  constructor(max = 5, spanMs = 60_000) {
    this.max = max;
    this.spanMs = spanMs;
  }

  /** Takes one; false when there is none left. */
  take(nowMs: number): boolean {
    while (this.moments.length > 0 && nowMs - this.moments[0]! >= this.spanMs) this.moments.shift();
    if (this.moments.length >= this.max) return false;
    this.moments.push(nowMs);
    return true;
  }
}
