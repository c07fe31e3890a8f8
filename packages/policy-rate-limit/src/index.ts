/**
 * Token buckets per caller, method or field.
 *
 * @packageDocumentation
 */
export {};
