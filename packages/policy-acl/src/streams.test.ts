import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import { createPolicyHarness, type PolicyHarness, Stall } from "@koala/testing-policy";
import { aclPolicy } from "./policy.ts";

const noPoison = {
  name: "no-poison",
  effect: "deny",
  method: ["Fill", "Haggle"],
  when: "has(request.customer) && request.customer.id == 'poison'",
  status: "INVALID_ARGUMENT",
};

function harnessOf(config: Record<string, unknown>): PolicyHarness {
  return createPolicyHarness({
    policy: aclPolicy,
    config: { default: "allow", ...config },
    service: Stall,
  });
}

const poison = { customer: { id: "poison" } };
const good = { customer: { id: "good" } };

describe("rules about the messages of a stream", () => {
  it("are asked for each message of the client", () => {
    const harness = harnessOf({ rules: [noPoison] });
    const stream = harness.stream("Haggle");
    for (let i = 0; i < 3; i++) assert.equal(stream.send(good).outcome, "passed");
    stream.receive();
    assert.equal(stream.send(poison).outcome, "denied");
    assert.deepEqual(
      [stream.call.status, stream.call.rule],
      [Status.INVALID_ARGUMENT, "no-poison"],
    );
    assert.deepEqual([harness.counters["allowed"], harness.counters["denied"]], [1, 1]);
    harness.stream("Watch", { request: poison }).end();
    assert.equal(harness.counters["allowed"], 1, "no rule is for the method");
  });

  it("leave the call to its messages where nothing before them decides", () => {
    const rules = [
      { name: "boss", effect: "allow", caller: "boss" },
      { name: "stranger", effect: "deny", caller: "stranger" },
      { name: "good", effect: "allow", when: "request.customer.id == 'good'" },
    ];
    const harness = harnessOf({ default: "deny", rules });
    const from = (app: string): ReturnType<PolicyHarness["stream"]> =>
      harness.stream("Fill", { caller: { app } });
    assert.equal(from("stranger").call.rule, "stranger");
    const boss = from("boss");
    assert.equal(boss.send(poison).outcome, "passed");
    const web = from("web");
    assert.equal(web.call.outcome, "sent");
    assert.equal(web.send(good).outcome, "passed");
    assert.equal(web.send(poison).outcome, "denied");
    assert.equal(web.call.rule, "default");
  });

  it("may read headers, which are kept until the stream ends, also when rules change", () => {
    const when = "'x-team' in metadata && metadata['x-team'] == request.customer.id";
    const rules = [{ name: "own", effect: "allow", when }];
    const harness = harnessOf({ default: "deny", rules });
    const stream = harness.stream("Fill", { metadata: { "x-team": "good" } });
    assert.equal(stream.send(good).outcome, "passed");
    harness.reconfigure({ default: "deny", rules: [{ ...rules[0], name: "renamed" }] });
    assert.equal(stream.send(good).outcome, "passed");
    assert.equal(stream.send(poison).outcome, "denied");
  });

  it("that fail deny if they are there to deny, and allow nothing", () => {
    const when = "metadata['x-team'] == request.customer.id";
    for (const effect of ["allow", "deny"]) {
      const rules = [{ name: "team", effect, when }];
      const stream = harnessOf({ default: effect === "allow" ? "deny" : "allow", rules }).stream(
        "Fill",
      );
      assert.equal(stream.send(good).outcome, "denied");
      assert.equal(stream.call.rule, effect === "deny" ? "team" : "default");
    }
  });

  it("in mode shadow are counted and reported once for a call", () => {
    const harness = harnessOf({ mode: "shadow", rules: [noPoison] });
    const stream = harness.stream("Fill");
    for (let i = 0; i < 3; i++) assert.equal(stream.send(poison).outcome, "passed");
    assert.equal(harness.counters["shadow_denied"], 1);
    assert.equal(harness.events.length, 1);
  });

  it("that come while a stream is open are asked for the rest of it", () => {
    const harness = harnessOf({ rules: [{ name: "x", effect: "deny", caller: "nobody" }] });
    const stream = harness.stream("Fill");
    assert.equal(stream.send(poison).outcome, "passed");
    harness.reconfigure({ default: "allow", rules: [noPoison] });
    assert.equal(stream.send(poison).outcome, "denied");
  });

  it("do not read malformed messages as good ones", () => {
    const stream = harnessOf({ rules: [noPoison] }).stream("Fill");
    assert.equal(stream.send(good, { malformed: true }).outcome, "malformed");
  });
});
