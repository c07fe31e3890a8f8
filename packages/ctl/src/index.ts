/**
 * koalactl, the operator's tool, as a function.
 *
 * @packageDocumentation
 */
export { Exit } from "./exit-code.ts";
export type { Sink, Surroundings } from "./output.ts";
export { run } from "./run.ts";
