/**
 * koalactl, the operator's tool, as a function; and how it asks daemons.
 *
 * @packageDocumentation
 */
export { askAdmin, postAdmin } from "./admin-client.ts";
export { Exit } from "./exit-code.ts";
export type { Sink, Surroundings } from "./output.ts";
export { run } from "./run.ts";
