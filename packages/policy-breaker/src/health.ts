/** What a breaker knows of endpoints. */
import type { BreakerConfig } from "./config.ts";

/** One endpoint; plain, so it can be exported as it is. */
export interface Health {
  failuresInRow: number;
  /** Until when it gets no calls, by `nowMs`; 0: it is not ejected. */
  ejectedUntilMs: number;
  /** Times it was ejected without a longer success in between. */
  ejections: number;
  /** One call is on its way to find out whether it works again. */
  isProbed: boolean;
  seenMs: number;
}

/** Endpoints that are remembered; of more, those that were not seen for the longest time are forgotten. */
const healthsMax = 1024;

export class Healths {
  readonly byLabel: Map<string, Health> = new Map();

  of(label: string, nowMs: number): Health {
    let health = this.byLabel.get(label);
    if (health === undefined) {
      if (this.byLabel.size >= healthsMax) this.forgetOldest();
      health = {
        failuresInRow: 0,
        ejectedUntilMs: 0,
        ejections: 0,
        isProbed: false,
        seenMs: nowMs,
      };
      this.byLabel.set(label, health);
    }
    health.seenMs = nowMs;
    return health;
  }

  private forgetOldest(): void {
    let oldest = "";
    let seenMs = Number.POSITIVE_INFINITY;
    for (const [label, health] of this.byLabel) {
      if (health.seenMs >= seenMs) continue;
      seenMs = health.seenMs;
      oldest = label;
    }
    this.byLabel.delete(oldest);
  }
}

/** How long the next ejection lasts, ms. */
export function ejectionMs({ eject, eject_max }: BreakerConfig, ejections: number): number {
  return Math.min(eject_max, eject * 2 ** Math.min(ejections, 30));
}
