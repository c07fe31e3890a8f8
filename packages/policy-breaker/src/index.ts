/**
 * Ejects endpoints that fail, for a while.
 *
 * @example
 * ```toml
 * [[policy]]
 * use = "breaker"
 * match = { target = "geo", side = "client" }
 * config = { failures = 5, eject = "10s" }
 * ```
 *
 * @packageDocumentation
 */
import { breakerPolicy } from "./policy.ts";

export type { BreakerConfig } from "./config.ts";
export { breakerPolicy } from "./policy.ts";
export default breakerPolicy;
