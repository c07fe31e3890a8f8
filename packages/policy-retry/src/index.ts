/**
 * Repeats calls that failed, within a budget, and hedges slow ones; idempotent methods only.
 *
 * @example
 * ```toml
 * [[policy]]
 * use = "retry"
 * match = { service = "geo.v1.Geo", side = "client" }
 *
 * [policy.config]
 * attempts = 3
 * statuses = ["UNAVAILABLE"]
 * idempotent = ["Nearest", "Lookup"]
 *
 * [policy.config.hedge]
 * after = "20ms"
 * ```
 *
 * @packageDocumentation
 */
import { retryPolicy } from "./policy.ts";

export type { BackoffConfig, BudgetConfig, HedgeConfig, RetryConfig } from "./config.ts";
export { retryPolicy } from "./policy.ts";
export default retryPolicy;
