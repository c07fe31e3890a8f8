import assert from "node:assert/strict";
import { it } from "node:test";
import { createPolicyHarness, Stall } from "@koala/testing-policy";
import policy from "./stream-quota.ts";

it("ends a stream that sends too much", () => {
  const harness = createPolicyHarness({ policy, service: Stall, config: { bytes: 20_000 } });
  const stream = harness.stream("Haggle");
  assert.equal(stream.send({ query: "tea" }).outcome, "passed");
  assert.equal(stream.receive({ items: [{ title: "x".repeat(30_000) }] }).outcome, "passed");
  assert.equal(stream.send({ query: "x".repeat(30_000) }).outcome, "denied");
  assert.equal(stream.call.rule, "bytes");
});
