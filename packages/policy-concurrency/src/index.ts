/**
 * Limits on calls in flight, and load shedding.
 *
 * @packageDocumentation
 */
export {};
