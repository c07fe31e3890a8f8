/**
 * Delays and aborts by probability.
 *
 * @packageDocumentation
 */
export {};
