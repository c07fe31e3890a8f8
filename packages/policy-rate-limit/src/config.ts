/** The configuration of a rate limit. */
import { durationField, Status, statusField, z } from "@koala/policy";

/** What has a bucket of its own. */
export type LimitedBy = "policy" | "caller" | "method" | "target" | "key";

/** The `config` table of a `[[policy]]` that uses `rate-limit`. */
export interface RateLimitConfig {
  /** Calls per second, of one bucket. */
  readonly rate: number;
  /** Calls that may come at once after a pause; 80 ms worth of `rate` when not given, at least 1. */
  readonly burst: number;
  /**
   * What takes a token: calls, or messages that clients send. They differ for methods that take a stream:
   * such a call takes one for each of its messages, and none for itself.
   */
  readonly count: "calls" | "messages";
  /** What has a bucket of its own: the whole attachment, or each caller, method, target, or value of `key`. */
  readonly by: LimitedBy;
  /** Expression whose value names the bucket; with `by = "key"` only. */
  readonly key?: string | undefined;
  /** What happens to a call that finds its bucket empty. */
  readonly mode: "reject" | "queue";
  readonly queue: {
    /** Most calls that wait in one runtime, all buckets together. */
    readonly length: number;
    /** Longest wait of one call, ms. */
    readonly wait: number;
  };
  /** Buckets; when there are more, the one that was used least recently makes room. */
  readonly keys_max: number;
  /** Of calls that are turned down. */
  readonly status: Status;
}

/**
 * Worth of `burst` when it is not given: no more than 1 % of what passes in 10 s, and enough that a thread
 * which had to wait for a core loses nothing.
 */
const burstSeconds = 0.08;

const queue = z.strictObject({
  length: z.int().min(1).max(1_000_000).default(1000),
  wait: durationField({ minMs: 1, maxMs: 60_000 }).default(1000),
});

/** Type and defaults of the `config` table. */
export const rateLimitConfig: z.ZodType<RateLimitConfig> = z
  .strictObject({
    rate: z.number().min(0.001).max(10_000_000),
    burst: z.int().min(1).max(10_000_000).optional(),
    count: z.enum(["calls", "messages"]).default("calls"),
    by: z.enum(["policy", "caller", "method", "target", "key"]).default("policy"),
    key: z.string().min(1).max(4096).optional(),
    mode: z.enum(["reject", "queue"]).default("reject"),
    queue: queue.default({ length: 1000, wait: 1000 }),
    keys_max: z.int().min(8).max(65_536).default(4096),
    status: statusField().default(Status.RESOURCE_EXHAUSTED),
  })
  .transform((config, context): RateLimitConfig => {
    if ((config.by === "key") !== (config.key !== undefined)) {
      const message = 'expected "key" together with by = "key", and only then';
      context.issues.push({ code: "custom", input: config.key, message, path: ["key"] });
    }
    return { ...config, burst: config.burst ?? Math.max(1, Math.ceil(config.rate * burstSeconds)) };
  });
