import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import { createPolicyHarness, type PolicyHarness, Shop, testPolicy } from "@koala/testing-policy";
import breaker from "./index.ts";

/** Servers that fail as long as their label is in `broken`. */
function harnessFor(config: object, broken: Set<string>): PolicyHarness {
  return createPolicyHarness({
    policy: breaker,
    config,
    service: Shop,
    endpoints: ["one", "two", "three", "four"],
    respond: ({ endpoint }) => ({
      status: broken.has(endpoint ?? "") ? Status.UNAVAILABLE : Status.OK,
    }),
  });
}

/** How many of so many calls went where. */
function spread(harness: PolicyHarness, calls: number): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < calls; i++) {
    const { endpoint = "nobody" } = harness.call("Find");
    counts[endpoint] = (counts[endpoint] ?? 0) + 1;
  }
  return counts;
}

testPolicy({
  policy: breaker,
  validConfigs: [
    { name: "the defaults", config: {} },
    { name: "at the first failure", config: { failures: 1, when_all: "reject" } },
  ],
  invalidConfigs: [
    { name: "no failures", config: { failures: 0 }, path: "failures" },
    { name: "an unknown status", config: { statuses: ["BROKEN"] }, path: "statuses.0" },
    { name: "times backwards", config: { eject: "10s", eject_max: "1s" }, path: "eject_max" },
    { name: "a percentage", config: { percent_max: 101 }, path: "percent_max" },
  ],
});

describe("breaker", () => {
  it("ejects a server that fails in a row, and takes it back when it works", () => {
    const broken = new Set(["one"]);
    const harness = harnessFor({ failures: 3, eject: "10s" }, broken);
    spread(harness, 100);
    assert.equal(harness.counters["ejected"], 1);
    assert.equal(spread(harness, 100)["one"], undefined, "it gets no calls");
    broken.clear();
    harness.advance(10_001);
    spread(harness, 100);
    assert.equal(harness.counters["recovered"], 1);
    assert.ok((spread(harness, 100)["one"] ?? 0) > 0, "it gets calls again");
    assert.deepEqual(
      harness.events.map(({ what }) => what),
      ["ejected", "recovered"],
    );
  });

  it("tries it with one call at a time, and for longer each time that fails", () => {
    const harness = harnessFor({ failures: 3, eject: "1s" }, new Set(["one"]));
    spread(harness, 100);
    harness.advance(1001);
    assert.equal(spread(harness, 400)["one"], 1, "one call found out");
    harness.advance(1500);
    assert.equal(spread(harness, 400)["one"], undefined, "the second time takes twice as long");
    harness.advance(600);
    assert.equal(spread(harness, 400)["one"], 1);
  });

  it("failures that are not in a row are not enough", () => {
    let calls = 0;
    const harness = createPolicyHarness({
      policy: breaker,
      config: { failures: 2 },
      service: Shop,
      respond: () => ({ status: calls++ % 2 === 0 ? Status.UNAVAILABLE : Status.OK }),
    });
    for (let i = 0; i < 50; i++) harness.call("Find");
    assert.equal(harness.counters["ejected"], 0);
  });

  it("ejects no more than its share", () => {
    const harness = harnessFor({ failures: 2, percent_max: 50 }, new Set(["one", "two", "three"]));
    spread(harness, 400);
    assert.equal(harness.counters["ejected"], 2);
  });

  it("when none is left, calls go to all again, or are rejected", () => {
    const broken = new Set(["one", "two", "three", "four"]);
    const config = { failures: 1, percent_max: 100 };
    const passing = harnessFor(config, broken);
    spread(passing, 100);
    assert.equal(spread(passing, 10)["nobody"], undefined);
    const rejecting = harnessFor({ ...config, when_all: "reject" }, broken);
    spread(rejecting, 100);
    const call = rejecting.call("Find");
    assert.equal(call.status, Status.UNAVAILABLE);
    assert.ok(rejecting.counters["rejected"]! > 0);
  });

  it("new code goes on with what the old one knew", () => {
    const harness = harnessFor({ failures: 3 }, new Set(["one"]));
    spread(harness, 100);
    harness.upgrade({ ...breaker, version: "1.1.0" });
    assert.equal(spread(harness, 100)["one"], undefined);
  });
});
