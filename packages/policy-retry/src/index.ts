/**
 * Retries within a budget, and hedging, for idempotent methods.
 *
 * @packageDocumentation
 */
export {};
