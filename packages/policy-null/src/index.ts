/**
 * A policy that does nothing: what a hop costs.
 *
 * @packageDocumentation
 */
export {};
