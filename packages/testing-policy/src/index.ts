/**
 * Runs policies without a daemon: a harness for unit tests, and the suite that every policy meets.
 *
 * @example
 * ```ts
 * const harness = createPolicyHarness({ policy, config: { limit: 10 }, service: Geo });
 * const call = harness.call("Lookup", { name: "Bern" }, { caller: { app: "web" } });
 * assert.equal(call.outcome, "passed");
 * ```
 *
 * @packageDocumentation
 */
export { type CheckedConfig, checkConfig, describeProblems } from "./check-config.ts";
export { FakeAttempt } from "./fake-attempt.ts";
export { FakeClock } from "./fake-clock.ts";
export { type EndpointInit, FakeEndpoint } from "./fake-endpoint.ts";
export { Shop, Stall } from "./gen/shop/v1/shop_pb.ts";
export { createPolicyHarness, PolicyHarness } from "./harness.ts";
export { type CallOutcome, HarnessCall, type Reply, type Responder } from "./harness-call.ts";
export type { CallOptions, HarnessOptions, Mirrored, Said } from "./harness-options.ts";
export {
  HarnessMessage,
  HarnessStream,
  type MessageOptions,
  type MessageOutcome,
} from "./harness-stream.ts";
export { type Cost, type CostOptions, measureCost } from "./measure-cost.ts";
export {
  type MessageCost,
  type MessageCostOptions,
  measureMessageCost,
} from "./measure-message-cost.ts";
export type { MetadataInit } from "./message-box.ts";
export { reachableSize } from "./reachable-size.ts";
export { testPolicy } from "./suite.ts";
export { type PolicyPage, testPage } from "./suite-page.ts";
export type { InvalidConfig, PolicySubject, ValidConfig } from "./suite-subject.ts";
