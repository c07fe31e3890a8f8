/**
 * Limits on calls in flight, fixed or by latency, with a queue that sheds load.
 *
 * @example
 * ```toml
 * [[policy]]
 * use = "concurrency"
 * match = { service = "shop.v1.Shop", side = "server" }
 *
 * [policy.config]
 * limit = 64
 * queue = { length = 500, wait = "1s", target = "5ms" }
 * ```
 *
 * @packageDocumentation
 */
import { concurrencyPolicy } from "./policy.ts";

export type { AdaptiveConfig, ConcurrencyConfig, LimitedBy, QueueConfig } from "./config.ts";
export { concurrencyPolicy } from "./policy.ts";
export default concurrencyPolicy;
