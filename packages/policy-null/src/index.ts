/**
 * A policy that does nothing: what a hop costs.
 *
 * @example
 * ```toml
 * [[policy]]
 * use = "null"
 * ```
 *
 * @packageDocumentation
 */
import { nullPolicy } from "./policy.ts";

export type { NullConfig } from "./config.ts";
export { nullPolicy } from "./policy.ts";
export default nullPolicy;
