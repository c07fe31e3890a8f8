/** What the parts of the suite share: harnesses for its subject, and calls that end in every way. */
import assert from "node:assert/strict";
import type { PolicyDefinition } from "@koala/policy";
import { Shop } from "./gen/shop/v1/shop_pb.ts";
import { createPolicyHarness, type PolicyHarness } from "./harness.ts";
import type { HarnessCall } from "./harness-call.ts";
import type { CallOptions } from "./harness-options.ts";
import { Recorder } from "./recorder.ts";
import type { PolicySubject } from "./suite-subject.ts";

const holdMsDefault = 60_000;

/** A harness whose policy is listened to. */
export interface Fixture {
  readonly harness: PolicyHarness;
  readonly recorder: Recorder;
}

export function fixtureFor(
  subject: PolicySubject,
  config: unknown,
  policy: PolicyDefinition = subject.policy,
): Fixture {
  const recorder = new Recorder(policy);
  const { service = Shop, harness } = subject;
  return {
    harness: createPolicyHarness({ ...harness, policy: recorder.policy, config, service }),
    recorder,
  };
}

/** The subject's usual call; its answer is left to the test with `start`. */
export function make(
  { harness }: Fixture,
  subject: PolicySubject,
  how: "call" | "start" = "call",
  options: CallOptions = {},
): HarnessCall {
  const { method = "Find", request = {} } = subject;
  return harness[how](method, request, { ...subject.call, ...options });
}

/** Ends every call, whatever state it is in. */
export function endAll({ harness }: Fixture, calls: readonly HarnessCall[]): void {
  for (const call of calls) if (call.outcome === "sent") call.answer();
  for (const call of calls) if (!call.hasEnded) call.cancel();
  assert.equal(harness.held, 0, "no call is held any more");
}

/** Time that passes until everything is over that the policy might wait for. */
export function settleMs(subject: PolicySubject): number {
  return subject.holdMsMax ?? holdMsDefault;
}

/** Each request that was taken was followed by one `onResponse`, each that was denied by none. */
export function assertOneResponseEach({ recorder }: Fixture, calls: readonly HarnessCall[]): void {
  for (const call of calls) {
    const seen = recorder.byRequestId.get(call.requestId);
    if (seen === undefined) continue;
    const { outcome, requestId } = call;
    // What denied a call that it held has no onResponse for it; what denied a reply has had it.
    const expected = !seen.wasTaken || (outcome === "denied" && seen.responses === 0) ? 0 : 1;
    assert.equal(seen.responses, expected, `onResponse of ${requestId}, which ended ${outcome}`);
  }
}
