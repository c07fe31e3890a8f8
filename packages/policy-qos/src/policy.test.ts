import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import {
  createPolicyHarness,
  FakeClock,
  type HarnessCall,
  type HarnessOptions,
  type PolicyHarness,
  Shop,
  testPolicy,
} from "@koala/testing-policy";
import qos from "./index.ts";

const classes = [
  { name: "interactive", caller: "web", priority: 10 },
  { name: "bulk", priority: 0 },
];
const web = { caller: { app: "web" } };
const batch = { caller: { app: "batch" } };

function harnessFor(config: object = {}, options: Partial<HarnessOptions> = {}): PolicyHarness {
  return createPolicyHarness({
    policy: qos,
    config: { classes, ...config },
    service: Shop,
    ...options,
  });
}

function outcomes(calls: readonly HarnessCall[]): string[] {
  return calls.map(({ outcome }) => outcome);
}

testPolicy({
  policy: qos,
  validConfigs: [
    { name: "two classes", config: { classes } },
    { name: "one class with a limit", config: { classes: [{ ...classes[1], limit: 2 }] } },
  ],
  invalidConfigs: [
    { name: "no classes", config: {}, path: "classes" },
    { name: "an empty list", config: { classes: [] }, path: "classes" },
    {
      name: "a name twice",
      config: { classes: [classes[0], { ...classes[1], name: "interactive" }] },
      path: "classes.1.name",
    },
    { name: "a share", config: { classes, share: 2 }, path: "share" },
    { name: "no priority", config: { classes: [{ name: "a" }] }, path: "classes.0.priority" },
  ],
});

describe("qos", () => {
  it("lets everything pass while nobody of a higher class is about", () => {
    const harness = harnessFor();
    const calls = Array.from({ length: 50 }, () => harness.start("Find", {}, batch));
    assert.ok(calls.every(({ outcome }) => outcome === "sent"));
    assert.equal(calls[0]!.priority, 0);
    assert.equal(harness.start("Find", {}, web).priority, 10, "and the higher class in any case");
  });

  it("holds a lower class while a higher one has a call in flight, and for a while after", () => {
    const harness = harnessFor({ share: 0, linger: "20ms" });
    const first = harness.start("Find", {}, batch);
    const important = harness.start("Find", {}, web);
    const second = harness.start("Find", {}, batch);
    assert.equal(second.outcome, "held");
    first.answer();
    harness.advance(100);
    assert.equal(second.outcome, "held");
    important.answer();
    harness.advance(19);
    assert.equal(second.outcome, "held");
    harness.advance(5);
    assert.equal(second.outcome, "sent");
  });

  it("gives the lower class its share of the time meanwhile, one call at a time", () => {
    const harness = harnessFor({ share: 0.1 });
    harness.start("Find", {}, web);
    const calls = Array.from({ length: 3 }, () => harness.start("Find", {}, batch));
    assert.deepEqual(outcomes(calls), ["sent", "held", "held"]);
    harness.advance(10);
    calls[0]!.answer();
    harness.advance(85);
    assert.deepEqual(outcomes(calls), ["passed", "held", "held"]);
    harness.advance(10);
    assert.deepEqual(outcomes(calls), ["passed", "sent", "held"]);
  });

  it("serves the earliest deadline first", () => {
    const harness = harnessFor({ share: 0, linger: "0ms" });
    const important = harness.start("Find", {}, web);
    const late = harness.start("Find", {}, { ...batch, timeoutMs: 5000 });
    const never = harness.start("Find", {}, batch);
    const soon = harness.start("Find", {}, { ...batch, timeoutMs: 1000 });
    harness.reconfigure({
      classes: [classes[0]!, { ...classes[1]!, limit: 1 }],
      share: 0,
      linger: "0ms",
    });
    important.answer();
    harness.advance(2);
    assert.deepEqual(outcomes([soon, late, never]), ["sent", "held", "held"]);
    soon.answer();
    harness.advance(2);
    assert.deepEqual(outcomes([late, never]), ["sent", "held"]);
  });

  it("a limit holds however quiet the others are", () => {
    const harness = harnessFor({ classes: [{ ...classes[1]!, limit: 2 }] });
    const calls = Array.from({ length: 4 }, () => harness.start("Find", {}, batch));
    assert.deepEqual(outcomes(calls), ["sent", "sent", "held", "held"]);
    calls[1]!.answer();
    harness.advance(2);
    assert.equal(calls[2]!.outcome, "sent");
  });

  it("what can't wait any more is rejected", () => {
    const harness = harnessFor({ share: 0, queue: 1 });
    harness.start("Find", {}, web);
    harness.start("Find", {}, batch);
    const call = harness.call("Find", {}, batch);
    assert.equal(call.outcome, "denied");
    assert.equal(call.status, Status.RESOURCE_EXHAUSTED);
    assert.equal(call.rule, "bulk");
  });

  it("calls that are given up while they wait leave nothing behind", () => {
    const harness = harnessFor({ share: 0 });
    const important = harness.start("Find", {}, web);
    for (let i = 0; i < 10; i++) harness.start("Find", {}, batch).cancel();
    important.answer();
    harness.advance(1000);
    assert.equal(harness.held, 0);
    assert.equal(harness.start("Find", {}, batch).outcome, "sent");
  });

  it("classes are the same in all runtimes of a daemon", () => {
    const clock = new FakeClock();
    const one = harnessFor({ share: 0 }, { clock, runtime: { index: 0, count: 2 } });
    const runtime = { index: 1, count: 2 };
    const two = harnessFor({ share: 0 }, { clock, runtime, shared: one.shared });
    const important = one.start("Find", {}, web);
    const call = two.start("Find", {}, batch);
    assert.equal(call.outcome, "held");
    important.answer();
    clock.advance(50);
    assert.equal(call.outcome, "sent");
  });
});
