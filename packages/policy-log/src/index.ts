/**
 * Access log, sampled, never blocking.
 *
 * @packageDocumentation
 */
export {};
