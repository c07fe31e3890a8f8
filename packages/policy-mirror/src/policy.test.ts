import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPolicyHarness, type PolicyHarness, Shop, testPolicy } from "@koala/testing-policy";
import mirror from "./index.ts";

function harnessFor(config: object): PolicyHarness {
  return createPolicyHarness({
    policy: mirror,
    config: { target: "next", ...config },
    service: Shop,
  });
}

testPolicy({
  policy: mirror,
  validConfigs: [
    { name: "all requests", config: { target: "next" } },
    { name: "some requests", config: { target: "next", probability: 0.5, timeout: "1s" } },
  ],
  invalidConfigs: [
    { name: "no target", config: {}, path: "target" },
    { name: "a probability", config: { target: "next", probability: 2 }, path: "probability" },
    { name: "no time", config: { target: "next", timeout: "0ms" }, path: "timeout" },
  ],
});

describe("mirror", () => {
  it("sends a copy of the request elsewhere and does not touch the call", () => {
    const harness = harnessFor({ timeout: "2s" });
    const call = harness.call("Find", { query: "tea" });
    assert.equal(call.outcome, "passed");
    assert.equal(harness.mirrored.length, 1);
    const [copy] = harness.mirrored;
    assert.equal(copy!.target, "next");
    assert.equal(copy!.timeoutMs, 2000);
    assert.equal(copy!.request["query"], "tea");
    assert.equal(harness.counters["mirrored"], 1);
  });

  it("copies the share it is told, of the methods it is told", () => {
    const harness = harnessFor({ probability: 0.25 });
    for (let i = 0; i < 1000; i++) harness.call("Find");
    const { length } = harness.mirrored;
    assert.ok(length > 180 && length < 320, `${length} of 1000 for a quarter`);
    const other = harnessFor({ method: "Other" });
    other.call("Find");
    assert.equal(other.mirrored.length, 0);
  });

  it("does not copy copies", () => {
    const harness = harnessFor({});
    harness.call("Find", {}, { target: "next" });
    assert.equal(harness.mirrored.length, 0);
  });

  it("drops copies when there is no room, and counts them", () => {
    const harness = harnessFor({});
    harness.takesMirrors = false;
    assert.equal(harness.call("Find").outcome, "passed");
    assert.equal(harness.counters["dropped"], 1);
  });
});
