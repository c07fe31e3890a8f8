/**
 * Ejects endpoints that fail.
 *
 * @packageDocumentation
 */
export {};
