/**
 * Metrics and spans of calls: Prometheus and OTLP.
 *
 * @packageDocumentation
 */
export {};
