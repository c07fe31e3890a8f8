/**
 * Metrics and spans of calls: counters and histograms for Prometheus, under the names that dashboards for
 * gRPC expect, and spans for OpenTelemetry, following W3C trace context.
 *
 * @example
 * ```toml
 * [[policy]]
 * use = "telemetry"
 * [policy.config]
 * prometheus = "127.0.0.1:9464"
 * otlp = "http://127.0.0.1:4318"
 * sample = 0.1
 * ```
 *
 * @packageDocumentation
 */
export type { TelemetryConfig } from "./config.ts";
export { type TelemetryState, telemetry, telemetry as default } from "./policy.ts";
