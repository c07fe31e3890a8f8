/** The suite's part about changes: configurations, upgrades, and the end. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HarnessCall } from "./harness-call.ts";
import {
  assertOneResponseEach,
  endAll,
  type Fixture,
  fixtureFor,
  make,
  settleMs,
} from "./suite-fixture.ts";
import type { PolicySubject } from "./suite-subject.ts";

const callsTogether = 50;

export function testChanges(subject: PolicySubject): void {
  const { policy, validConfigs } = subject;
  describe("with changes", () => {
    it("goes from each configuration to each other while calls are on their way", () => {
      for (const before of validConfigs) {
        for (const after of validConfigs) {
          const fixture = fixtureFor(subject, before.config);
          const calls = callsOnTheWay(fixture, subject);
          fixture.harness.reconfigure(after.config);
          calls.push(...callsOnTheWay(fixture, subject));
          finish(fixture, subject, calls, `${before.name} → ${after.name}`);
        }
      }
    });

    it("does not change its configuration", () => {
      for (const { config } of validConfigs) {
        const text = JSON.stringify(config);
        const fixture = fixtureFor(subject, config);
        // What the engine gives to a policy is frozen: a change would have thrown.
        finish(fixture, subject, callsOnTheWay(fixture, subject), "");
        assert.equal(JSON.stringify(config), text);
      }
    });

    it("is upgraded to itself while calls are on their way", () => {
      for (const { name, config } of validConfigs) {
        const fixture = fixtureFor(subject, config);
        const calls = callsOnTheWay(fixture, subject);
        const sharedBefore = fixture.harness.shared;
        fixture.harness.upgrade(fixture.recorder.policy, config);
        assert.equal(fixture.harness.shared, sharedBefore);
        calls.push(...callsOnTheWay(fixture, subject));
        finish(fixture, subject, calls, name);
      }
    });

    it("goes on with its state after an upgrade as it would have without", () => {
      for (const { name, config } of validConfigs) {
        const outcomes = [false, true].map((isUpgraded) => {
          const fixture = fixtureFor(subject, config);
          const calls: HarnessCall[] = [];
          for (let i = 0; i < callsTogether; i++) calls.push(make(fixture, subject));
          fixture.harness.advance(settleMs(subject));
          if (isUpgraded) fixture.harness.upgrade(fixture.recorder.policy, config);
          for (let i = 0; i < callsTogether; i++) calls.push(make(fixture, subject));
          fixture.harness.advance(settleMs(subject));
          return calls.map(({ outcome, status, rule }) => ({ outcome, status, rule }));
        });
        assert.deepEqual(outcomes[1], outcomes[0], name);
      }
    });

    if (policy.export !== undefined) testExport(subject);

    it("leaves no timer and no held call behind when it is detached", async () => {
      for (const { name, config } of validConfigs) {
        const fixture = fixtureFor(subject, config);
        const control = await fixture.harness.startControl();
        const calls = callsOnTheWay(fixture, subject);
        const { harness } = fixture;
        await harness.stop();
        assert.equal(harness.held, 0, name);
        endAll(fixture, calls);
        assert.equal(harness.clock.pending, 0, `${name}: timers`);
        assert.equal(control === undefined, policy.control === undefined);
      }
    });
  });
}

function testExport(subject: PolicySubject): void {
  it("exports what can be sent to another thread", () => {
    for (const { config } of subject.validConfigs) {
      const fixture = fixtureFor(subject, config);
      const calls = callsOnTheWay(fixture, subject);
      const saved = fixture.harness.slot.exportState();
      assert.deepEqual(structuredClone(saved), saved);
      endAll(fixture, calls);
    }
  });

  it("refuses a state that it does not know, or starts anew, and goes on", () => {
    for (const saved of [{ from: "elsewhere" }, null, [], "?", 7]) {
      takesForeignState(subject, saved);
    }
  });
}

/** Calls of which some may be held, some sent, some over. */
function callsOnTheWay(fixture: Fixture, subject: PolicySubject): HarnessCall[] {
  const calls: HarnessCall[] = [];
  for (let i = 0; i < callsTogether; i++) calls.push(make(fixture, subject, "start"));
  return calls;
}

function finish(
  fixture: Fixture,
  subject: PolicySubject,
  calls: readonly HarnessCall[],
  what: string,
): void {
  const { harness } = fixture;
  for (const call of calls) if (call.outcome === "sent") call.answer();
  for (let i = 0; i < 3; i++) {
    harness.advance(settleMs(subject));
    for (const call of calls) if (call.outcome === "sent") call.answer();
  }
  endAll(fixture, calls);
  assertOneResponseEach(fixture, calls);
  assert.equal(harness.failure, "", what);
}

/** Code whose state is nothing that the policy has ever exported. */
function takesForeignState(subject: PolicySubject, saved: unknown): void {
  const { config } = subject.validConfigs[0]!;
  const stranger = { ...subject.policy, stateVersion: 9999, export: () => saved };
  const fixture = fixtureFor(subject, config, stranger);
  const versionBefore = fixture.harness.slot.definition;
  try {
    fixture.harness.upgrade(subject.policy, config);
  } catch (error) {
    assert.ok(error instanceof Error && error.message !== "", "it says why");
    assert.equal(fixture.harness.slot.definition, versionBefore, "the old code stays");
  }
  const call = make(fixture, subject);
  endAll(fixture, [call]);
  assert.equal(fixture.harness.failure, "");
}
