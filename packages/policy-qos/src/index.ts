/**
 * Classes of service across apps and runtimes.
 *
 * @packageDocumentation
 */
export {};
