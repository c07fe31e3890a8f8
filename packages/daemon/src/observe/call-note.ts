/** What is noted about a call besides its times, while it is open: of calls that are sampled or tapped, and of those that failed. */
import type { Origin, Status } from "@koala/interface";
import type { Capture } from "./tap-point.ts";

/** Why a call is recorded; the larger reason wins. */
export const Why = { SAMPLED: 0, TAPPED: 1, SLOW: 2, FAILED: 3, DENIED: 4 } as const;
export type Why = (typeof Why)[keyof typeof Why];

export class CallNote {
  why: Why = Why.SAMPLED;
  /** Its times are taken from the clock, not from the start of the round. */
  isPrecise = false;
  /** "" until somebody has to know it. */
  requestId = "";
  /** As the daemon that ended it names it. */
  remoteId = "";
  status: Status = 0;
  origin: Origin = 0;
  message = "";
  policy = "";
  rule = "";
  /** The policies of its chain, and how many of them it has got to. */
  steps: readonly string[] = [];
  stage = 0;
  requestBytes = 0;
  replyBytes = 0;
  capture: Capture | null = null;

  /** For another call. */
  clear(): void {
    this.why = Why.SAMPLED;
    this.isPrecise = false;
    this.requestId = "";
    this.remoteId = "";
    this.status = 0;
    this.origin = 0;
    this.message = "";
    this.policy = "";
    this.rule = "";
    this.steps = [];
    this.stage = 0;
    this.requestBytes = 0;
    this.replyBytes = 0;
    this.capture = null;
  }
}
