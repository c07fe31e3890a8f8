/** The configuration of a breaker attachment. */
import { type ConfigProblem, durationField, Status, statusField, z } from "@koala/policy";

/** The `config` table of a `[[policy]]` that uses `breaker`. */
export interface BreakerConfig {
  /** Failures in a row after which an endpoint is ejected. */
  readonly failures: number;
  /** What counts as a failure of the endpoint. */
  readonly statuses: readonly Status[];
  /** How long it is ejected, ms; doubles each time it fails again soon. */
  readonly eject: number;
  readonly eject_max: number;
  /** Most of the endpoints that may be ejected at a time, percent; one may in any case, if there are others. */
  readonly percent_max: number;
  /** What happens when none is left: calls go to all of them again, or are rejected. */
  readonly when_all: "pass" | "reject";
}

/** Type and defaults of the `config` table. */
export const breakerConfig: z.ZodType<BreakerConfig> = z.strictObject({
  failures: z.int().min(1).max(1000).default(5),
  statuses: z
    .array(statusField())
    .min(1)
    .max(16)
    .default([Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.INTERNAL, Status.UNKNOWN]),
  eject: durationField({ minMs: 1 }).default(10_000),
  eject_max: durationField({ minMs: 1 }).default(300_000),
  percent_max: z.number().min(0).max(100).default(50),
  when_all: z.enum(["pass", "reject"]).default("pass"),
});

/** What the type can't see. */
export function checkConfig({ eject, eject_max }: BreakerConfig): ConfigProblem[] {
  if (eject_max >= eject) return [];
  return [{ path: ["eject_max"], message: 'expected a duration of at least "eject"' }];
}
