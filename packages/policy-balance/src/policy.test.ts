import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import {
  createPolicyHarness,
  type HarnessOptions,
  type PolicyHarness,
  Shop,
  testPolicy,
} from "@koala/testing-policy";
import balance from "./index.ts";

function harnessFor(config: object, options: Partial<HarnessOptions> = {}): PolicyHarness {
  return createPolicyHarness({
    policy: balance,
    config,
    service: Shop,
    endpoints: ["a", "b", "c", "d"],
    ...options,
  });
}

/** How many of so many calls went where. */
function spread(harness: PolicyHarness, calls: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i < calls; i++) {
    const { endpoint = "nobody" } = harness.call("Find");
    counts.set(endpoint, (counts.get(endpoint) ?? 0) + 1);
  }
  return counts;
}

testPolicy({
  policy: balance,
  validConfigs: [
    { name: "round robin", config: { method: "round_robin" } },
    { name: "least request", config: { method: "least_request", choices: 3, health: true } },
    { name: "random", config: { method: "random", weights: { "s*": 3 } } },
    {
      name: "consistent hash",
      config: { method: "consistent_hash", key: 'metadata["user-id"]' },
    },
  ],
  invalidConfigs: [
    { name: "no method", config: {}, path: "method" },
    { name: "another method", config: { method: "best" }, path: "method" },
    {
      name: "one choice is none",
      config: { method: "least_request", choices: 1 },
      path: "choices",
    },
    {
      name: "a key that is no expression",
      config: { method: "consistent_hash", key: "caller." },
      path: "key",
    },
    {
      name: "nobody may get calls",
      config: { method: "random", weights: { "*": 0 } },
      path: "weights.*",
    },
  ],
});

describe("balance", () => {
  it("round robin: the same number to each, no two in a row", () => {
    const harness = harnessFor({ method: "round_robin" });
    const order = Array.from({ length: 8 }, () => harness.call("Find").endpoint);
    assert.deepEqual(order.slice(0, 4), order.slice(4));
    assert.equal(new Set(order).size, 4);
  });

  it("weights are kept to exactly, and times the instances behind an endpoint", () => {
    const weights = { a: 5, b: 0 };
    const endpoints = ["a", "b", "c", { label: "peer", instances: 2 }];
    const counts = spread(harnessFor({ method: "round_robin", weights }, { endpoints }), 800);
    assert.deepEqual(Object.fromEntries(counts), { a: 500, c: 100, peer: 200 });
  });

  it("random: about the same number to each", () => {
    const counts = spread(harnessFor({ method: "random" }), 4000);
    for (const count of counts.values()) assert.ok(count > 850 && count < 1150, `${count}`);
  });

  it("least request: whoever is slow gets less", () => {
    const endpoints = ["a", "b", { label: "slow", inFlight: 50 }];
    const counts = spread(harnessFor({ method: "least_request" }, { endpoints }), 900);
    assert.ok((counts.get("slow") ?? 0) < 150, `slow got ${counts.get("slow")}`);
  });

  it("consistent hash: a key stays where it is, and only keys of a lost endpoint move", () => {
    const config = { method: "consistent_hash", key: 'metadata["user-id"]' };
    const place = (harness: PolicyHarness): (string | undefined)[] =>
      Array.from(
        { length: 500 },
        (_, i) => harness.call("Find", {}, { metadata: { "user-id": `user-${i}` } }).endpoint,
      );
    const all = place(harnessFor(config));
    assert.deepEqual(place(harnessFor(config, { seed: 7 })), all);
    const shares = new Set(all);
    assert.equal(shares.size, 4, "all of them have keys");
    const fewer = place(harnessFor(config, { endpoints: ["a", "b", "d"] }));
    all.forEach((before, i) => {
      if (before !== "c") assert.equal(fewer[i], before);
    });
  });

  it("consistent hash: by a field of the request", () => {
    const harness = harnessFor(
      { method: "consistent_hash", key: "request.query" },
      { match: { method: ["Find"] } },
    );
    const place = (query: string): string | undefined => harness.call("Find", { query }).endpoint;
    assert.equal(place("tea"), place("tea"));
    const places = new Set(Array.from({ length: 50 }, (_, i) => place(`query ${i}`)));
    assert.equal(places.size, 4);
  });

  it("health: who fails gets less, but is not forgotten", () => {
    const harness = harnessFor(
      { method: "random", health: true },
      { respond: ({ endpoint }) => ({ status: endpoint === "a" ? Status.UNAVAILABLE : 0 }) },
    );
    spread(harness, 400);
    const counts = spread(harness, 2000);
    const count = counts.get("a") ?? 0;
    assert.ok(count > 5 && count < 120, `a got ${count} of 2000`);
  });

  it("with all weights 0, nobody serves the call", () => {
    const harness = harnessFor({ method: "random", weights: { a: 0, b: 0, c: 0, d: 0 } });
    assert.equal(harness.call("Find").status, Status.UNAVAILABLE);
  });
});
