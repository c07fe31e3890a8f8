import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import {
  createPolicyHarness,
  type PolicyHarness,
  Shop,
  Stall,
  testPolicy,
} from "@koala/testing-policy";
import fault from "./index.ts";

function harnessFor(config: object): PolicyHarness {
  return createPolicyHarness({ policy: fault, config, service: Shop });
}

testPolicy({
  policy: fault,
  validConfigs: [
    { name: "a short delay for all", config: { delay: { time: "3ms" } } },
    {
      name: "some delayed, some aborted",
      config: {
        seed: 3,
        delay: { min: "1ms", max: "20ms", probability: 0.5 },
        abort: { probability: 0.3 },
      },
    },
    { name: "streams that end midway", config: { abort: { messages: 4, probability: 0.5 } } },
    { name: "a rule for another method", config: { rules: [{ method: "Buy", abort: {} }] } },
  ],
  invalidConfigs: [
    { name: "nothing to do", config: {}, path: "" },
    { name: "a delay without a time", config: { delay: {} }, path: "delay", message: /"time"/ },
    { name: "a delay with both", config: { delay: { time: "1ms", max: "2ms" } }, path: "delay" },
    { name: "a delay backwards", config: { delay: { min: "2ms", max: "1ms" } }, path: "delay.max" },
    { name: "a delay that never ends", config: { delay: { time: "1h" } }, path: "delay.time" },
    { name: "a probability", config: { abort: { probability: 2 } }, path: "abort.probability" },
    { name: "an unknown status", config: { abort: { status: "BAD" } }, path: "abort.status" },
    { name: "a rule without methods", config: { rules: [{ abort: {} }] }, path: "rules.0.method" },
    { name: "messages", config: { abort: { messages: -1 } }, path: "abort.messages" },
    { name: "a seed", config: { seed: -1, abort: {} }, path: "seed" },
  ],
  denies: { abort: {} },
});

describe("fault", () => {
  it("holds calls for the time it is told, then lets them go on", () => {
    const harness = harnessFor({ delay: { time: "20ms" } });
    const call = harness.call("Find", { query: "tea" });
    assert.equal(call.outcome, "held");
    harness.advance(19);
    assert.equal(call.outcome, "held");
    harness.advance(1);
    assert.equal(call.outcome, "passed");
    assert.deepEqual({ ...harness.counters }, { delayed: 1, aborted: 0, given_up: 0 });
  });

  it("ends streams behind so many messages, and lets unary calls pass", () => {
    const config = { delay: { time: "5ms" }, abort: { messages: 3, status: "ABORTED" } };
    const harness = createPolicyHarness({ policy: fault, config, service: Stall });
    const stream = harness.stream("Haggle");
    harness.advance(5);
    const messages = [stream.send(), stream.receive(), stream.send(), stream.receive()];
    assert.deepEqual(
      messages.map(({ outcome }) => outcome),
      ["passed", "passed", "passed", "denied"],
    );
    assert.deepEqual([stream.call.status, stream.call.rule], [Status.ABORTED, "abort"]);
    assert.equal(harness.counters["aborted"], 1);
    const short = harness.stream("Watch");
    harness.advance(5);
    for (let i = 0; i < 3; i++) short.receive();
    assert.equal(short.end().call.outcome, "passed");
    const none = createPolicyHarness({
      policy: fault,
      config: { abort: { messages: 0 } },
      service: Stall,
    });
    assert.equal(none.stream("Fill").send().outcome, "denied");
    assert.equal(harnessFor({ abort: { messages: 0 } }).call("Find").outcome, "passed");
  });

  it("spreads delays over the range", () => {
    const harness = harnessFor({ seed: 1, delay: { min: "10ms", max: "30ms" } });
    const calls = Array.from({ length: 200 }, () => harness.call("Find"));
    const waiting: number[] = [];
    for (let ms = 0; ms <= 31; ms++) {
      waiting.push(calls.filter(({ outcome }) => outcome === "held").length);
      harness.advance(1);
    }
    assert.equal(waiting[9], 200, "none goes on before the shortest delay");
    assert.equal(waiting[31], 0, "none waits longer than the longest");
    assert.ok(
      waiting[20]! > 60 && waiting[20]! < 140,
      `${waiting[20]} of 200 wait for half the range`,
    );
  });

  it("aborts with status, message and probability", () => {
    const abort = { status: "DATA_LOSS", message: "gone", probability: 0.25 };
    const harness = harnessFor({ seed: 5, abort });
    const calls = Array.from({ length: 2000 }, () => harness.call("Find"));
    const denied = calls.filter(({ outcome }) => outcome === "denied");
    assert.ok(denied.length > 420 && denied.length < 580, `${denied.length} of 2000`);
    assert.equal(harness.counters["aborted"], denied.length);
    const { status, message, rule } = denied[0]!;
    assert.deepEqual(
      { status, message, rule },
      { status: Status.DATA_LOSS, message: "gone", rule: "abort" },
    );
  });

  it("does both, the delay first", () => {
    const harness = harnessFor({ delay: { time: "5ms" }, abort: {} });
    const call = harness.call("Find");
    assert.equal(call.outcome, "held");
    harness.advance(5);
    assert.equal(call.outcome, "denied");
    assert.equal(call.status, Status.UNAVAILABLE);
  });

  it("takes the first rule that is for the method, and leaves other methods alone", () => {
    const harness = harnessFor({
      rules: [
        { method: "shop.v1.Shop/Bu*", abort: { message: "first" } },
        { method: ["Find", "Buy"], abort: { message: "second" } },
      ],
    });
    assert.equal(harness.call("Buy").message, "first");
    assert.equal(harness.call("Find").message, "second");
    harness.reconfigure({ rules: [{ method: "Buy", abort: {} }] });
    assert.equal(harness.call("Find").outcome, "passed");
  });

  it("does the same again for the same seed, also across an upgrade, and another for each runtime", () => {
    const config = { seed: 9, abort: { probability: 0.5 } };
    const outcomes = (harness: PolicyHarness, upgradeAt: number): string[] =>
      Array.from({ length: 60 }, (_, index) => {
        if (index === upgradeAt) harness.upgrade(fault);
        return harness.call("Find").outcome;
      });
    const first = outcomes(harnessFor(config), -1);
    assert.deepEqual(outcomes(harnessFor(config), 30), first);
    const other = createPolicyHarness({
      policy: fault,
      config,
      service: Shop,
      runtime: { index: 1, count: 2 },
    });
    assert.notDeepEqual(outcomes(other, -1), first);
  });

  it("forgets calls whose callers give up", () => {
    const harness = harnessFor({ delay: { time: "50ms" } });
    const call = harness.call("Find", {}, { timeoutMs: 10 });
    harness.advance(10);
    assert.equal(call.outcome, "expired");
    assert.equal(harness.counters["given_up"], 1);
    assert.equal(harness.clock.pending, 0);
  });
});
