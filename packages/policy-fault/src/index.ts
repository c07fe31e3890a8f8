/**
 * Delays and aborts calls, to see what an application makes of it.
 *
 * @example
 * ```toml
 * [[policy]]
 * use = "fault"
 * match = { caller = "checkout" }
 *
 * [policy.config.delay]
 * min = "5ms"
 * max = "50ms"
 * probability = 0.1
 *
 * [policy.config.abort]
 * status = "UNAVAILABLE"
 * probability = 0.01
 * ```
 *
 * @packageDocumentation
 */
import { faultPolicy } from "./policy.ts";

export type { AbortConfig, DelayConfig, FaultConfig, FaultRule } from "./config.ts";
export { faultPolicy } from "./policy.ts";
export default faultPolicy;
