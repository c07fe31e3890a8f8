/**
 * Expressions in a subset of CEL.
 *
 * @packageDocumentation
 */
export {};
