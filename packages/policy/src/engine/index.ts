/**
 * Runs chains of policies: for the daemon and the test harness, not for policies.
 *
 * @packageDocumentation
 */
export {
  type CallSource,
  type MessageSource,
  type MetadataEntry,
  malformedMessage,
  type StreamMessageSource,
} from "./call-source.ts";
export {
  buildChain,
  type Chain,
  listensToStream,
  Passage,
  runRequest,
  runResponse,
  runRoute,
  runStreamMessage,
  Step,
} from "./chain.ts";
export { type Denial, LiveCall } from "./live-call.ts";
export { fits, isSelected, type Selected, type Selector } from "./selector.ts";
export { Slot, type SlotHost, type SlotOptions, type SlotState } from "./slot.ts";
