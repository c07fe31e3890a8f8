/**
 * Token buckets per caller, method, target or field.
 *
 * @example
 * ```toml
 * [[policy]]
 * use = "rate-limit"
 * match = { service = "shop.v1.Shop" }
 *
 * [policy.config]
 * rate = 1000
 * by = "key"
 * key = "request.customer.id"
 * ```
 *
 * @packageDocumentation
 */
import { rateLimitPolicy } from "./policy.ts";

export type { LimitedBy, RateLimitConfig } from "./config.ts";
export { rateLimitPolicy } from "./policy.ts";
export default rateLimitPolicy;
