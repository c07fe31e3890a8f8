/**
 * Access log: one line a call, sampled, and never in the way of a call.
 *
 * @example
 * ```toml
 * [[policy]]
 * use = "log"
 *
 * [policy.config]
 * file = "/var/log/koala/access.log"
 * sample = 0.01
 * fields = { customer = "request.customer.id" }
 * ```
 *
 * @packageDocumentation
 */
import { logPolicy } from "./policy.ts";

export type { LogConfig } from "./config.ts";
export { logPolicy } from "./policy.ts";
export default logPolicy;
