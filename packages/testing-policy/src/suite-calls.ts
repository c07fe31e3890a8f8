/** The suite's part about calls: what a policy may do to them, and that it leaves nothing behind. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Origin, Status } from "@koala/interface";
import { definePolicy, type PolicyDefinition, z } from "@koala/policy";
import type { HarnessCall } from "./harness-call.ts";
import type { CallOptions } from "./harness-options.ts";
import { reachableSize } from "./reachable-size.ts";
import {
  assertOneResponseEach,
  endAll,
  type Fixture,
  fixtureFor,
  make,
  settleMs,
} from "./suite-fixture.ts";
import type { PolicySubject } from "./suite-subject.ts";

/** How many calls have to leave no trace. */
const callsMany = 1000;
/** After so many times these calls, the state must have stopped to grow. */
const roundsMax = 12;
/** How many of them are in flight together. */
const callsTogether = 50;

/** What a call looks like without the subject. */
const bystander: PolicyDefinition = definePolicy({
  name: "bystander",
  version: "1.0.0",
  config: z.looseObject({}),
});

/** Requests that nobody would send. */
const oddRequests: readonly object[] = [
  {},
  { query: "\u0000", limit: 0xffff_ffff },
  { query: "é".repeat(70_000), customer: { id: "x".repeat(5000), roles: Array(500).fill("r") } },
];
const oddPurchases: readonly object[] = [
  { count: -(2 ** 31), cents: -(2n ** 63n), voucher: new Uint8Array(100_000) },
  { count: 2 ** 31 - 1, cents: 2n ** 63n - 1n, labels: { "": "", __proto__x: "1" }, note: "" },
  { payment: { case: "onAccount", value: true }, customer: { tier: 99 } },
];
const oddMetadata: readonly CallOptions[] = [
  { metadata: {} },
  { metadata: { "x-bin": new Uint8Array(3), empty: "", long: "y".repeat(4000) } },
  { caller: { app: "", host: "elsewhere", uid: -1, pid: 0, labels: { a: "b" } } },
  { target: "t".repeat(255), timeoutMs: 1 },
  { timeoutMs: 2 ** 31 },
];

export function testCalls(subject: PolicySubject): void {
  describe("with calls", () => {
    for (const { name, config } of subject.validConfigs) {
      it(`follows each request it took with one onResponse (${name})`, () => {
        const fixture = fixtureFor(subject, config);
        const calls = endInEveryWay(fixture, subject);
        assertOneResponseEach(fixture, calls);
        const declared = subject.policy.provides ?? [];
        for (const ability of fixture.recorder.abilities) {
          assert.ok(declared.includes(ability), `"${ability}" is in "provides" of its manifest`);
        }
      });
      it(`keeps nothing of ${callsMany} calls, however they end (${name})`, () => {
        keepsNothing(subject, config);
      });
      it(`works for odd requests (${name})`, () => {
        worksForOddRequests(subject, config);
      });
    }
    it("leaves a call that passes as it was", () => {
      leavesCallsAsTheyWere(subject);
    });
    if (subject.denies !== undefined) {
      it("denies with its name, a rule, a message, and origin policy", () => {
        deniesWithReason(subject);
      });
    }
  });
}

/** Calls that get OK, an error, a cancellation or a deadline; held, sent, and over already. */
function endInEveryWay(fixture: Fixture, subject: PolicySubject): HarnessCall[] {
  const calls: HarnessCall[] = [];
  for (let i = 0; i < callsTogether / 5; i++) {
    calls.push(
      make(fixture, subject),
      make(fixture, subject, "call", { status: Status.NOT_FOUND, statusMessage: "no" }),
      make(fixture, subject, "start"),
      make(fixture, subject, "start").cancel(),
      make(fixture, subject, "start", { timeoutMs: 5 }),
    );
  }
  fixture.harness.advance(10);
  endAll(fixture, calls);
  fixture.harness.advance(settleMs(subject));
  for (const call of calls) assert.ok(call.hasEnded, `${call.requestId} is ${call.outcome}`);
  return calls;
}

function keepsNothing(subject: PolicySubject, config: unknown): void {
  const fixture = fixtureFor(subject, config);
  const { harness, recorder } = fixture;
  const sizes: number[] = [];
  const timers: number[] = [];
  // Pools grow to what was needed at most, a leak grows for ever.
  while (sizes.length < 3 || (sizes.at(-1)! > sizes.at(-2)! && sizes.length < roundsMax)) {
    for (let count = 0; count < callsMany; count += callsTogether) endInEveryWay(fixture, subject);
    recorder.byRequestId.clear();
    sizes.push(reachableSize(harness.state));
    timers.push(harness.clock.pending);
  }
  assert.equal(harness.held, 0);
  assert.equal(timers.at(-1), timers[0], "as many timers run as after the first calls");
  assert.ok(sizes.at(-1)! <= sizes.at(-2)!, `sizes of the state: ${sizes.join(", ")}`);
}

function worksForOddRequests(subject: PolicySubject, config: unknown): void {
  const fixture = fixtureFor(subject, config);
  const { harness } = fixture;
  const calls: HarnessCall[] = [];
  if (subject.service === undefined) {
    for (const request of oddRequests) calls.push(harness.call("Find", request));
    for (const request of oddPurchases) calls.push(harness.call("Buy", request));
  }
  for (const options of oddMetadata) calls.push(make(fixture, subject, "call", options));
  for (const status of Object.values(Status)) {
    for (const origin of Object.values(Origin)) {
      calls.push(make(fixture, subject, "call", { status, origin }));
    }
  }
  calls.push(make(fixture, subject, "call", { malformed: true }));
  assert.equal(harness.failure, "");
  endAll(fixture, calls);
  assertOneResponseEach(fixture, calls);
}

function leavesCallsAsTheyWere(subject: PolicySubject): void {
  const fixture = fixtureFor(subject, subject.validConfigs[0]!.config);
  const options: CallOptions = {
    ...subject.call,
    metadata: { ...subject.call?.metadata, "x-one": "1", "x-bin": new Uint8Array([1, 2]) },
    trailers: { ...subject.call?.trailers, "x-end": "2" },
    statusMessage: "",
  };
  const call = make(fixture, subject, "call", options);
  const reference = make(fixtureFor(subject, {}, bystander), subject, "call", options);
  fixture.harness.advance(settleMs(subject));
  assert.equal(call.outcome, "passed", `the call of the suite passes: ${call.message}`);
  if (subject.changesMessages !== true) {
    assert.deepEqual(call.request, reference.request);
    assert.deepEqual(call.response, reference.response);
  }
  const own = new Set(subject.changesMetadata ?? []);
  const others = (metadata: object): object =>
    Object.fromEntries(Object.entries(metadata).filter(([key]) => !own.has(key)));
  assert.deepEqual(others(call.metadata), others(reference.metadata));
  assert.deepEqual(others(call.trailers), others(reference.trailers));
  assert.equal(call.status, reference.status);
}

function deniesWithReason(subject: PolicySubject): void {
  const fixture = fixtureFor(subject, subject.denies);
  const calls = Array.from({ length: callsTogether }, () => make(fixture, subject, "start"));
  fixture.harness.advance(settleMs(subject));
  const denied = calls.filter(({ outcome }) => outcome === "denied");
  assert.ok(denied.length > 0, "of many calls some are denied");
  for (const call of denied) {
    assert.equal(call.deniedBy, fixture.harness.slot.name);
    assert.notEqual(call.rule, "", "the denial names a rule");
    assert.notEqual(call.message, "", "the denial has a message");
    assert.notEqual(call.status, Status.OK);
    assert.equal(call.origin, Origin.POLICY);
  }
  endAll(fixture, calls);
}
