/**
 * Chooses who serves a call: round robin, least request, random, consistent hash; with weights and health.
 *
 * @example
 * ```toml
 * [[policy]]
 * use = "balance"
 * match = { target = "geo", side = "client" }
 * config = { method = "least_request" }
 * ```
 *
 * @packageDocumentation
 */
import { balancePolicy } from "./policy.ts";

export type { BalanceConfig } from "./config.ts";
export { balancePolicy } from "./policy.ts";
export default balancePolicy;
