import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import {
  createPolicyHarness,
  type HarnessCall,
  type PolicyHarness,
  Shop,
  testPolicy,
} from "@koala/testing-policy";
import rateLimit from "./index.ts";

function harnessFor(config: object): PolicyHarness {
  return createPolicyHarness({ policy: rateLimit, config, service: Shop });
}

function outcomes(calls: readonly HarnessCall[]): string {
  return calls.map(({ outcome }) => outcome[0]).join("");
}

testPolicy({
  policy: rateLimit,
  validConfigs: [
    { name: "plenty", config: { rate: 1_000_000 } },
    { name: "few", config: { rate: 100, burst: 3 } },
    { name: "a queue", config: { rate: 1000, burst: 1, mode: "queue" } },
    {
      name: "a short queue",
      config: {
        rate: 10,
        mode: "queue",
        queue: { length: 5, wait: "300ms" },
        by: "caller",
      },
    },
    { name: "messages", config: { rate: 100, burst: 9, count: "messages", mode: "queue" } },
    {
      name: "messages by a key",
      config: {
        rate: 9,
        count: "messages",
        by: "key",
        key: "caller.app + request.customer.id",
      },
    },
    { name: "a key", config: { rate: 5, by: "key", key: "caller.app + target", keys_max: 8 } },
  ],
  invalidConfigs: [
    { name: "no rate", config: {}, path: "rate" },
    { name: "a rate of nothing", config: { rate: 0 }, path: "rate" },
    { name: "a burst of nothing", config: { rate: 1, burst: 0 }, path: "burst" },
    { name: "an endless wait", config: { rate: 1, queue: { wait: "1h" } }, path: "queue.wait" },
    { name: "a key that is not asked for", config: { rate: 1, key: "target" }, path: "key" },
    { name: "no key", config: { rate: 1, by: "key" }, path: "key" },
    { name: "a key with a mistake", config: { rate: 1, by: "key", key: "request." }, path: "key" },
    {
      name: "a field that there is not",
      config: { rate: 1, by: "key", key: "request.nope" },
      path: "key",
      message: /nope/,
    },
    {
      name: "a key that is a message",
      config: { rate: 1, by: "key", key: "request" },
      path: "key",
      message: /a key is a string/,
    },
  ],
  denies: { rate: 1 },
});

describe("rate-limit", () => {
  it("turns down what is too much, and says when there is room again", () => {
    const harness = harnessFor({ rate: 100, burst: 2 });
    const calls = Array.from({ length: 4 }, () => harness.call("Find"));
    assert.equal(outcomes(calls), "ppdd");
    const { status, rule, message, trailers } = calls[2]!;
    assert.equal(status, Status.RESOURCE_EXHAUSTED);
    assert.equal(rule, "rate");
    assert.equal(message, "more than 100 calls a second; there is room again in 10ms");
    assert.deepEqual(trailers, { "retry-delay": "10ms" });
    harness.advance(10);
    assert.equal(harness.call("Find").outcome, "passed");
    assert.deepEqual(
      { ...harness.counters },
      { passed: 3, queued: 0, rejected: 2, given_up: 0, evicted: 0 },
    );
  });

  it("holds its rate within 1 % over 10 s of twice as many calls", () => {
    for (const mode of ["reject", "queue"]) {
      const config = { rate: 4000, mode, queue: { length: 50, wait: "1s" } };
      const harness = harnessFor(config);
      let calls = 0;
      for (let ms = 0; ms < 10_000; ms++) {
        for (let i = 0; i < 8; i++) {
          harness.call("Find");
          calls++;
        }
        harness.advance(1);
      }
      const passed = harness.counters["passed"]!;
      assert.equal(calls, 80_000);
      assert.ok(passed >= 40_000 * 0.99 && passed <= 40_000 * 1.01, `${mode}: ${passed}`);
    }
  });

  it("holds one rate for all runtimes together", () => {
    const config = { rate: 1000, burst: 10 };
    const one = createPolicyHarness({
      policy: rateLimit,
      config,
      service: Shop,
      runtime: { index: 0, count: 2 },
    });
    const { clock, shared } = one;
    const other = createPolicyHarness({
      policy: rateLimit,
      config,
      service: Shop,
      runtime: { index: 1, count: 2 },
      clock,
      shared,
    });
    for (let ms = 0; ms < 2000; ms++) {
      for (const harness of ms % 2 === 0 ? [one, other, one] : [other, one]) harness.call("Find");
      clock.advance(1);
    }
    const passed = one.counters["passed"]! + other.counters["passed"]!;
    assert.ok(passed >= 2000 && passed <= 2000 + 10, `${passed} of 2000`);
    assert.ok(other.counters["passed"]! > 100, "both get some");
  });

  it("has a bucket for each caller, method, target or value of an expression", () => {
    const byWhat: [object, (harness: PolicyHarness, which: number) => HarnessCall][] = [
      [{ by: "caller" }, (h, i) => h.call("Find", {}, { caller: { app: `app ${i}` } })],
      [{ by: "caller" }, (h, i) => h.call("Find", {}, { caller: { host: `host ${i}` } })],
      [{ by: "method" }, (h, i) => h.call(i === 0 ? "Find" : "Buy")],
      [{ by: "target" }, (h, i) => h.call("Find", {}, { target: `target ${i}` })],
      [
        { by: "key", key: "request.customer.id" },
        (h, i) => h.call("Find", { customer: { id: `${i}` } }),
      ],
      [
        { by: "key", key: 'metadata["tenant"]' },
        (h, i) => h.call("Find", {}, { metadata: { tenant: `${i}` } }),
      ],
      [
        { by: "key", key: "caller.labels['zone'] + caller.app" },
        (h, i) => h.call("Find", {}, { caller: { labels: { zone: `${i}` } } }),
      ],
    ];
    for (const [config, call] of byWhat) {
      const harness = harnessFor({ rate: 1, ...config });
      const calls = [0, 1, 0, 1].map((which) => call(harness, which));
      assert.equal(outcomes(calls), "ppdd", JSON.stringify(config));
    }
  });

  it("has one bucket for all calls without a key", () => {
    const harness = harnessFor({ rate: 1, by: "key", key: 'metadata["tenant"]' });
    assert.equal(outcomes([harness.call("Find"), harness.call("Find")]), "pd");
  });

  it("lets calls wait in order, so long and so many as it is told", () => {
    const harness = harnessFor({
      rate: 100,
      burst: 1,
      mode: "queue",
      queue: { length: 3, wait: "25ms" },
    });
    const calls = Array.from({ length: 5 }, () => harness.call("Find"));
    assert.equal(outcomes(calls), "phhdd", "30 ms would be too long");
    harness.advance(10);
    assert.equal(outcomes(calls), "pphdd");
    harness.advance(10);
    assert.equal(outcomes(calls), "pppdd");
    const more = Array.from({ length: 5 }, (_, i) => harness.call("Find", {}, { target: `${i}` }));
    assert.equal(outcomes(more), "hhddd");
    harness.reconfigure({ rate: 100, burst: 1, mode: "queue", queue: { length: 3, wait: "1s" } });
    const last = Array.from({ length: 5 }, () => harness.call("Find"));
    assert.equal(outcomes(last).replaceAll("p", ""), "hdddd", "three wait at most");
    harness.advance(1000);
    assert.equal(harness.held, 0);
  });

  it("moves up those behind who gives up", () => {
    const harness = harnessFor({ rate: 100, burst: 1, mode: "queue" });
    const calls = Array.from({ length: 4 }, () => harness.call("Find"));
    assert.equal(outcomes(calls), "phhh");
    calls[1]!.cancel();
    harness.advance(20);
    assert.equal(outcomes(calls), "pcpp");
    assert.equal(harness.call("Find").outcome, "held", "its token was given to the others");
    harness.advance(10);
    assert.equal(harness.counters["given_up"], 1);
    assert.equal(harness.counters["passed"], 4);
  });

  it("keeps what was spent across an upgrade, and the places of those who wait", () => {
    const harness = harnessFor({ rate: 100, burst: 1, mode: "queue" });
    const calls = Array.from({ length: 3 }, () => harness.call("Find"));
    harness.upgrade(rateLimit);
    assert.equal(outcomes(calls), "phh");
    harness.advance(10);
    assert.equal(outcomes(calls), "pph");
    harness.advance(10);
    assert.equal(outcomes(calls), "ppp");
  });

  it("counts keys that had to make room before their bucket was full", () => {
    const harness = harnessFor({ rate: 0.01, by: "target", keys_max: 8 });
    for (let i = 0; i < 20; i++) harness.call("Find", {}, { target: `target ${i}` });
    assert.equal(harness.counters["evicted"], 12);
    assert.equal(harness.counters["passed"], 20);
  });
});
