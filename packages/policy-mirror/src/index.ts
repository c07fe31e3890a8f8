/**
 * Sends copies of requests elsewhere.
 *
 * @packageDocumentation
 */
export {};
