import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPolicyHarness, Stall } from "@koala/testing-policy";
import { concurrencyPolicy } from "./policy.ts";

describe("concurrency: streams", () => {
  it("are calls in flight until they end", () => {
    const harness = createPolicyHarness({
      policy: concurrencyPolicy,
      config: { limit: 2 },
      service: Stall,
    });
    const first = harness.stream("Haggle");
    for (let i = 0; i < 20; i++) {
      first.send();
      first.receive();
    }
    const second = harness.stream("Watch");
    assert.equal(harness.counters["in_flight"], 2);
    assert.equal(harness.stream("Fill").call.outcome, "denied");
    first.end();
    assert.equal(harness.stream("Fill").call.outcome, "sent");
    second.cancel();
    assert.equal(harness.counters["in_flight"], 1);
  });

  it("say nothing about how long calls take", () => {
    const harness = createPolicyHarness({
      policy: concurrencyPolicy,
      config: { limit: 20, adaptive: { max: 200, window: "20ms" } },
      service: Stall,
    });
    for (let i = 0; i < 60; i++) {
      const streams = Array.from({ length: 20 }, () => harness.stream("Watch"));
      harness.advance(i < 30 ? 30 : 5000);
      for (const stream of streams) stream.end();
      assert.equal(harness.counters["limit"], 20);
    }
  });
});
