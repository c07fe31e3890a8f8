/**
 * Runs policies without a daemon: a harness for unit tests, and the suite that every policy meets.
 *
 * @packageDocumentation
 */
export {};
