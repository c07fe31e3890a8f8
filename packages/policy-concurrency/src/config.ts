/** The configuration of a limit of calls in flight. */
import { durationField, Status, statusField, z } from "@koala/policy";

/** What has a limit of its own. */
export type LimitedBy = "policy" | "caller" | "method" | "target";

/** How the limit follows latency. */
export interface AdaptiveConfig {
  readonly min: number;
  readonly max: number;
  /** Latency may rise by this factor before the limit is lowered. */
  readonly tolerance: number;
  /** How often the limit is looked at, ms. */
  readonly window: number;
}

export interface QueueConfig {
  /** Most calls that wait in one runtime; 0: none waits. */
  readonly length: number;
  /** Longest wait, ms. */
  readonly wait: number;
  /** Wait that is all right in the long run, ms; 0: never shed. */
  readonly target: number;
  /** Calls are shed when none has waited less than `target` for so long, ms. */
  readonly interval: number;
}

/** The `config` table of a `[[policy]]` that uses `concurrency`. */
export interface ConcurrencyConfig {
  /** Calls in flight, of all runtimes together; with `adaptive`, where it begins. */
  readonly limit: number;
  readonly by: LimitedBy;
  readonly adaptive?: AdaptiveConfig | undefined;
  readonly queue: QueueConfig;
  /** Limits that are kept apart, with other `by` than "policy". */
  readonly keys_max: number;
  /** Of calls that are turned down. */
  readonly status: Status;
}

const limitMax = 1_000_000;

const adaptive: z.ZodType<AdaptiveConfig> = z
  .strictObject({
    min: z.int().min(1).max(limitMax).default(1),
    max: z.int().min(1).max(limitMax).default(1000),
    tolerance: z.number().min(1).max(10).default(1.5),
    window: durationField({ minMs: 1, maxMs: 60_000 }).default(100),
  })
  .refine(({ min, max }) => min <= max, { path: ["max"], message: 'expected at least "min"' });

const queue: z.ZodType<QueueConfig> = z.strictObject({
  length: z.int().min(0).max(1_000_000).default(0),
  wait: durationField({ minMs: 1, maxMs: 60_000 }).default(1000),
  target: durationField({ maxMs: 60_000 }).default(5),
  interval: durationField({ minMs: 1, maxMs: 60_000 }).default(100),
});

/** Type and defaults of the `config` table. */
export const concurrencyConfig: z.ZodType<ConcurrencyConfig> = z.strictObject({
  limit: z.int().min(1).max(limitMax),
  by: z.enum(["policy", "caller", "method", "target"]).default("policy"),
  adaptive: adaptive.optional(),
  queue: queue.default({ length: 0, wait: 1000, target: 5, interval: 100 }),
  keys_max: z.int().min(8).max(65_536).default(1024),
  status: statusField().default(Status.RESOURCE_EXHAUSTED),
});

/** What the types can't say. */
export function checkConfig({ limit, adaptive: range }: ConcurrencyConfig): {
  path: string[];
  message: string;
}[] {
  if (range === undefined || (limit >= range.min && limit <= range.max)) return [];
  const message = `expected a limit from adaptive.min (${range.min}) to adaptive.max (${range.max})`;
  return [{ path: ["limit"], message }];
}
