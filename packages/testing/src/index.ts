/**
 * For tests only: contract suites, child processes with deadlines, descriptor counts, seeds.
 *
 * @packageDocumentation
 */
export { bytesAllocatedBy } from "./allocations.ts";
export { countDescriptors, countMappings, countMemfds, openDescriptors } from "./descriptors.ts";
export { FdWaiter } from "./fd-waiter.ts";
export { type FuzzRound, fuzzMain, runRounds } from "./fuzz.ts";
export { Prng } from "./prng.ts";
export {
  type Child,
  type ChildExit,
  type ChildOptions,
  freeze,
  spawnNode,
  spawnProgram,
} from "./process.ts";
export { type CutOptions, PatternReceiver, PatternSender } from "./suites/byte-pattern.ts";
export { type TransportSubject, testTransport } from "./suites/transport.ts";
export { createTempDirectory, type Ending } from "./temp.ts";
export { deadlineMsDefault, until } from "./until.ts";
