import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Origin, Status } from "@koala/interface";
import {
  createPolicyHarness,
  type PolicyHarness,
  type Responder,
  Shop,
  testPolicy,
} from "@koala/testing-policy";
import retry from "./index.ts";

const idempotent = ["*"];

function harnessFor(config: object, respond?: Responder): PolicyHarness {
  return createPolicyHarness({
    policy: retry,
    config: { idempotent, ...config },
    service: Shop,
    endpoints: ["one", "two", "three"],
    ...(respond === undefined ? {} : { respond }),
  });
}

testPolicy({
  policy: retry,
  validConfigs: [
    { name: "all methods may be repeated", config: { idempotent } },
    { name: "with hedging", config: { idempotent, hedge: { after: "5ms" } } },
    { name: "only what the schema allows", config: {} },
  ],
  invalidConfigs: [
    { name: "one attempt is no retry", config: { attempts: 1 }, path: "attempts" },
    { name: "no statuses", config: { statuses: [] }, path: "statuses" },
    { name: "OK is no failure", config: { statuses: ["OK"] }, path: "statuses.0" },
    {
      name: "a backoff backwards",
      config: { backoff: { base: "1s", max: "1ms" } },
      path: "backoff.max",
    },
    {
      name: "more hedges than attempts",
      config: { attempts: 2, hedge: { after: "1ms", parallel: 3 } },
      path: "hedge.parallel",
    },
    { name: "an endless budget", config: { budget: { ratio: 11 } }, path: "budget.ratio" },
  ],
});

describe("retry", () => {
  it("tries another server until one answers, after a pause", () => {
    const harness = harnessFor({ attempts: 3 }, () =>
      harness.attempts.length < 3
        ? { status: Status.UNAVAILABLE }
        : { reply: { items: [] }, status: Status.OK },
    );
    const call = harness.call("Find", { query: "tea" });
    harness.advance(5000);
    assert.equal(call.outcome, "passed");
    assert.equal(call.status, Status.OK);
    const labels = harness.attempts.map(({ endpoint }) => endpoint?.label);
    assert.equal(new Set(labels).size, 3, `each attempt went elsewhere: ${labels.join(", ")}`);
    assert.equal(harness.counters["retries"], 2);
    assert.equal(harness.counters["recovered"], 1);
  });

  it("gives the last failure to the caller when the attempts are used up", () => {
    const harness = harnessFor({ attempts: 2 }, () => ({ status: Status.UNAVAILABLE }));
    const call = harness.call("Find");
    harness.advance(5000);
    assert.equal(call.status, Status.UNAVAILABLE);
    assert.equal(harness.attempts.length, 2);
    assert.equal(harness.counters["exhausted"], 1);
  });

  it("repeats neither other statuses nor what a policy denied", () => {
    for (const reply of [
      { status: Status.NOT_FOUND },
      { status: Status.UNAVAILABLE, origin: Origin.POLICY },
    ]) {
      const harness = harnessFor({}, () => reply);
      const call = harness.call("Find");
      harness.advance(5000);
      assert.equal(call.status, reply.status);
      assert.equal(harness.attempts.length, 1);
    }
  });

  it("leaves methods alone that nobody called idempotent", () => {
    const harness = harnessFor({ idempotent: ["Other"] });
    const call = harness.call("Buy", {}, { status: Status.UNAVAILABLE });
    assert.equal(call.status, Status.UNAVAILABLE);
    assert.equal(harness.attempts.length, 0);
  });

  it("needs no word where the schema says that a method may be repeated", () => {
    const harness = harnessFor({ idempotent: ["Other"] }, () => ({ status: Status.UNAVAILABLE }));
    harness.call("Find");
    harness.advance(5000);
    assert.equal(harness.attempts.length, 3);
  });

  it("stops when the budget is used up", () => {
    const budget = { ratio: 0.1, min_per_second: 0 };
    const harness = harnessFor({ attempts: 5, budget }, () => ({ status: Status.UNAVAILABLE }));
    for (let i = 0; i < 100; i++) harness.call("Find");
    harness.advance(20_000);
    const retries = harness.counters["retries"]!;
    assert.ok(retries <= 10, `${retries} retries of 100 calls, a tenth was allowed`);
    assert.ok(retries >= 9, `${retries} retries`);
    assert.ok(harness.counters["budget_exhausted"]! > 0);
  });

  it("does not begin an attempt that the deadline would cut off", () => {
    const backoff = { base: "1s", max: "1s" };
    const harness = harnessFor({ backoff }, () => ({ status: Status.UNAVAILABLE }));
    const call = harness.call("Find", {}, { timeoutMs: 1 });
    harness.advance(0.5);
    assert.equal(call.status, Status.UNAVAILABLE);
    assert.equal(harness.attempts.length, 1);
  });

  it("hedges a slow call elsewhere, takes the first answer and gives up the other", () => {
    const harness = harnessFor({ hedge: { after: "20ms" } }, () => ({
      afterMs: harness.attempts.length === 1 ? 1000 : 5,
    }));
    const call = harness.call("Find");
    harness.advance(19);
    assert.equal(harness.attempts.length, 1);
    harness.advance(10);
    assert.equal(call.outcome, "passed");
    assert.deepEqual(
      harness.attempts.map(({ state }) => state),
      ["cancelled", "ended"],
    );
    assert.notEqual(harness.attempts[0]!.endpoint, harness.attempts[1]!.endpoint);
    assert.equal(harness.counters["hedges"], 1);
  });

  it("a caller that gives up ends all attempts", () => {
    const harness = harnessFor({ hedge: { after: "5ms" } }, () => ({ afterMs: 1000 }));
    const call = harness.call("Find");
    harness.advance(10);
    call.cancel();
    harness.advance(5000);
    assert.equal(call.outcome, "cancelled");
    assert.deepEqual(
      harness.attempts.map(({ state }) => state),
      ["cancelled", "cancelled"],
    );
  });
});
