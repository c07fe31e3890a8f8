/**
 * Classes of service across apps and runtimes.
 *
 * @example
 * ```toml
 * [[policy]]
 * use = "qos"
 *
 * [[policy.config.classes]]
 * name = "interactive"
 * caller = ["web", "checkout*"]
 * priority = 10
 *
 * [[policy.config.classes]]
 * name = "bulk"
 * priority = 0
 * ```
 *
 * @packageDocumentation
 */
import { qosPolicy } from "./policy.ts";

export type { ClassConfig, QosConfig } from "./config.ts";
export { qosPolicy } from "./policy.ts";
export default qosPolicy;
