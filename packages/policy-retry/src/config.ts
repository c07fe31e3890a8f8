/** The configuration of a retry attachment. */
import {
  type ConfigProblem,
  durationField,
  patternsField,
  Status,
  statusField,
  z,
} from "@koala/policy";

const attemptsMax = 10;

/** How much more load retries and hedges may cause than the calls themselves. */
export interface BudgetConfig {
  /** So many for each call. */
  readonly ratio: number;
  /** So many per second in any case, for callers with few calls. */
  readonly min_per_second: number;
}

/** Pauses before retries: exponential, with full jitter. */
export interface BackoffConfig {
  /** Longest first pause, ms; each one doubles it. */
  readonly base: number;
  readonly max: number;
}

/** Attempts that are made before the first one has ended. */
export interface HedgeConfig {
  /** Time without an answer after which the next attempt begins, ms. */
  readonly after: number;
  /** Attempts at the same time. */
  readonly parallel: number;
}

/** The `config` table of a `[[policy]]` that uses `retry`. */
export interface RetryConfig {
  /** Attempts of one call, the first one included. */
  readonly attempts: number;
  /** Statuses that another attempt may change. */
  readonly statuses: readonly Status[];
  /** Methods that may be repeated though their schema does not say so. */
  readonly idempotent: readonly string[];
  /** Time of one attempt, ms; 0: until the call's deadline. */
  readonly attempt_timeout: number;
  readonly backoff: BackoffConfig;
  readonly budget: BudgetConfig;
  readonly hedge?: HedgeConfig | undefined;
}

/** Type and defaults of the `config` table. */
export const retryConfig: z.ZodType<RetryConfig> = z.strictObject({
  attempts: z.int().min(2).max(attemptsMax).default(3),
  statuses: z.array(statusField()).min(1).max(16).default([Status.UNAVAILABLE]),
  idempotent: patternsField().default([]),
  attempt_timeout: durationField({ minMs: 0 }).default(0),
  backoff: z
    .strictObject({
      base: durationField({ minMs: 1, maxMs: 60_000 }).default(10),
      max: durationField({ minMs: 1, maxMs: 60_000 }).default(1000),
    })
    .prefault({}),
  budget: z
    .strictObject({
      ratio: z.number().min(0).max(10).default(0.2),
      min_per_second: z.number().min(0).max(1_000_000).default(10),
    })
    .prefault({}),
  hedge: z
    .strictObject({
      after: durationField({ minMs: 0.1, maxMs: 60_000 }),
      parallel: z.int().min(2).max(attemptsMax).default(2),
    })
    .optional(),
});

/** What the type can't see. */
export function checkConfig({ backoff, attempts, hedge }: RetryConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (backoff.max < backoff.base) {
    problems.push({ path: ["backoff", "max"], message: 'expected a duration of at least "base"' });
  }
  if (hedge !== undefined && hedge.parallel > attempts) {
    const message = `expected at most ${attempts}, which is "attempts"`;
    problems.push({ path: ["hedge", "parallel"], message });
  }
  return problems;
}
