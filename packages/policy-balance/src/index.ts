/**
 * Chooses endpoints: round robin, least request, consistent hash, weights.
 *
 * @packageDocumentation
 */
export {};
