import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { definePolicy, Status } from "@koala/policy";
import {
  createPolicyHarness,
  FakeClock,
  type HarnessCall,
  type HarnessOptions,
  type PolicyHarness,
  Shop,
  testPolicy,
} from "@koala/testing-policy";
import concurrency from "./index.ts";

function harnessFor(config: object, more: Partial<HarnessOptions> = {}): PolicyHarness {
  return createPolicyHarness({ policy: concurrency, config, service: Shop, ...more });
}

function outcomes(calls: readonly HarnessCall[]): string {
  return calls.map(({ outcome }) => outcome[0]).join("");
}

function start(harness: PolicyHarness, count: number, options: object = {}): HarnessCall[] {
  return Array.from({ length: count }, () => harness.start("Find", {}, options));
}

testPolicy({
  policy: concurrency,
  validConfigs: [
    { name: "plenty", config: { limit: 1000 } },
    { name: "few", config: { limit: 3, by: "caller" } },
    { name: "a queue", config: { limit: 3, queue: { length: 30, wait: "2s", target: "1ms" } } },
    {
      name: "adaptive",
      config: {
        limit: 20,
        adaptive: { max: 50, window: "1ms" },
        by: "method",
        queue: { length: 5 },
      },
    },
    { name: "few keys", config: { limit: 1, by: "target", keys_max: 8 } },
  ],
  invalidConfigs: [
    { name: "no limit", config: {}, path: "limit" },
    { name: "a limit of nothing", config: { limit: 0 }, path: "limit" },
    {
      name: "a limit out of its range",
      config: { limit: 5, adaptive: { min: 10 } },
      path: "limit",
    },
    {
      name: "a range backwards",
      config: { limit: 5, adaptive: { min: 9, max: 3 } },
      path: "adaptive.max",
    },
    {
      name: "a tolerance",
      config: { limit: 5, adaptive: { tolerance: 0.5 } },
      path: "adaptive.tolerance",
    },
    { name: "a wait without unit", config: { limit: 5, queue: { wait: 5 } }, path: "queue.wait" },
    { name: "an unknown by", config: { limit: 5, by: "moon" }, path: "by" },
  ],
  denies: { limit: 1 },
});

describe("concurrency", () => {
  it("lets as many be in flight as it is told", () => {
    const harness = harnessFor({ limit: 2 });
    const calls = start(harness, 3);
    assert.equal(outcomes(calls), "ssd");
    const { status, rule, message } = calls[2]!;
    assert.equal(status, Status.RESOURCE_EXHAUSTED);
    assert.equal(rule, "limit");
    assert.match(message, /as many calls are in flight as are allowed/);
    assert.equal(harness.counters["in_flight"], 2);
    calls[0]!.answer();
    assert.equal(outcomes(start(harness, 2)), "sd");
    calls[1]!.cancel();
    assert.equal(outcomes(start(harness, 2)), "sd");
  });

  it("has a limit for each caller, method or target", () => {
    const byWhat: [string, (harness: PolicyHarness, which: number) => HarnessCall][] = [
      ["caller", (h, i) => h.start("Find", {}, { caller: { app: `app ${i}` } })],
      ["caller", (h, i) => h.start("Find", {}, { caller: { host: `host ${i}` } })],
      ["method", (h, i) => h.start(i === 0 ? "Find" : "Buy")],
      ["target", (h, i) => h.start("Find", {}, { target: `target ${i}` })],
    ];
    for (const [by, call] of byWhat) {
      const harness = harnessFor({ limit: 1, by });
      assert.equal(outcomes([0, 1, 0, 1].map((which) => call(harness, which))), "ssdd", by);
    }
  });

  it("lets calls wait in order, and goes on with one when one ends", () => {
    const harness = harnessFor({ limit: 1, queue: { length: 3, wait: "50ms", target: "0ms" } });
    const calls = start(harness, 5);
    assert.equal(outcomes(calls), "shhhd");
    assert.equal(calls[4]!.rule, "queue-full");
    calls[0]!.answer();
    assert.equal(outcomes(calls), "pshhd");
    calls[2]!.cancel();
    calls[1]!.answer();
    assert.equal(outcomes(calls), "ppcsd");
    const late = start(harness, 1)[0]!;
    harness.advance(49);
    assert.equal(late.outcome, "held");
    harness.advance(1);
    assert.equal(late.outcome, "denied");
    assert.equal(late.rule, "queue-timeout");
    assert.equal(harness.clock.pending, 0);
  });

  it("lets higher priorities go first, and lower ones make room for them", () => {
    // Not what a user would do: the harness has no policy in front that sets priorities.
    const byLabel = definePolicy<unknown, unknown>({
      ...(concurrency as object as ReturnType<typeof definePolicy<unknown, unknown>>),
      onRequest(call, ctx) {
        call.priority = Number(call.caller.labels["priority"] ?? 0);
        return (concurrency.onRequest as (a: unknown, b: unknown) => 0 | 1 | 2)(call, ctx);
      },
    });
    const config = { limit: 1, queue: { length: 3, target: "0ms" } };
    const harness = createPolicyHarness({ policy: byLabel, config, service: Shop });
    const at = (priority: number): HarnessCall =>
      harness.start("Find", {}, { caller: { labels: { priority: `${priority}` } } });
    const calls = [at(0), at(0), at(-1), at(2)];
    assert.equal(outcomes(calls), "shhh");
    calls.push(at(1));
    assert.equal(outcomes(calls), "shdhh", "the lowest makes room");
    calls.push(at(0));
    assert.equal(outcomes(calls), "shdhhd", "nobody makes room for an equal");
    for (const expected of ["phdshd", "phdpsd", "psdppd"]) {
      calls.find(({ outcome }) => outcome === "sent")!.answer();
      assert.equal(outcomes(calls), expected);
    }
  });

  it("sheds when nobody has waited less than the target for an interval", () => {
    const harness = harnessFor({
      limit: 1,
      queue: { length: 100, wait: "1s", target: "5ms", interval: "20ms" },
    });
    const calls = start(harness, 12);
    // One ends each 4 ms, while one more comes: the line never gets shorter by itself.
    for (let round = 0; round < 20; round++) {
      harness.advance(4);
      calls.find(({ outcome }) => outcome === "sent")!.answer();
      calls.push(...start(harness, 1));
    }
    const shed = calls.filter(({ rule }) => rule === "shed");
    assert.equal(harness.counters["shed"], shed.length);
    assert.ok(shed.length >= 5 && shed.length < 20, `${shed.length} were shed`);
    assert.ok(harness.held <= 3, `${harness.held} still wait`);
    const last = calls.at(-1)!;
    harness.advance(4);
    for (const call of calls) if (call.outcome === "sent") call.answer();
    harness.advance(4);
    for (const call of calls) if (call.outcome === "sent") call.answer();
    assert.notEqual(last.rule, "queue-timeout");
  });

  it("does not shed a burst that goes away in time", () => {
    const harness = harnessFor({
      limit: 1,
      queue: { length: 100, target: "5ms", interval: "100ms" },
    });
    const calls = start(harness, 20);
    for (const call of calls) {
      harness.advance(3);
      call.answer();
    }
    assert.equal(outcomes(calls), "p".repeat(20));
  });

  it("holds one limit for all runtimes together, and wakes those of others", () => {
    const clock = new FakeClock();
    const config = { limit: 3, queue: { length: 10, wait: "1s", target: "0ms" } };
    const one = harnessFor(config, { clock, runtime: { index: 0, count: 2 } });
    const { shared } = one;
    const other = harnessFor(config, { clock, shared, runtime: { index: 1, count: 2 } });
    const first = start(one, 3);
    const second = start(other, 2);
    assert.equal(outcomes([...first, ...second]), "ssshh");
    first[0]!.answer();
    clock.advance(1);
    assert.equal(outcomes([...first, ...second]), "psssh");
    for (const call of [...first, ...second]) call.answer();
    clock.advance(1);
    second[1]!.answer();
    assert.equal(outcomes([...first, ...second]), "ppppp");
    assert.equal(clock.pending, 0);
  });

  it("gets back what a runtime had in flight that has ended without a word", () => {
    const config = { limit: 3 };
    const one = harnessFor(config, { runtime: { index: 0, count: 2 } });
    const { shared } = one;
    const gone = harnessFor(config, { shared, runtime: { index: 1, count: 2 } });
    const lost = start(gone, 2);
    assert.equal(outcomes(start(one, 2)), "sd");
    const again = harnessFor(config, { shared, runtime: { index: 1, count: 2 } });
    assert.equal(outcomes(start(again, 3)), "ssd");
    assert.equal(outcomes(lost), "ss");
  });

  it("does not count the ends of calls that it let go on before it was taken out of service", () => {
    const harness = harnessFor({ limit: 2 }, { allowFailure: true });
    const before = start(harness, 2);
    harness.slot.fail("a test says so");
    harness.reconfigure({ limit: 2 });
    const after = start(harness, 3);
    assert.equal(outcomes(after), "ssd", "it begins anew");
    for (const call of before) call.answer();
    assert.equal(outcomes(start(harness, 1)), "d");
    assert.equal(harness.counters["in_flight"], 2);
  });

  it("keeps what is in flight across an upgrade", () => {
    const harness = harnessFor({ limit: 2, queue: { length: 2, target: "0ms" } });
    const calls = start(harness, 4);
    harness.upgrade(concurrency);
    assert.equal(outcomes(calls), "sshh");
    calls[0]!.answer();
    assert.equal(outcomes(calls), "pssh");
    calls[1]!.answer();
    calls[2]!.answer();
    calls[3]!.answer();
    assert.equal(harness.counters["in_flight"], 0);
    assert.equal(outcomes(start(harness, 2)), "ss");
  });

  it("takes a new limit at once", () => {
    const harness = harnessFor({ limit: 1, queue: { length: 9, target: "0ms" } });
    const calls = start(harness, 4);
    harness.reconfigure({ limit: 3, queue: { length: 9, target: "0ms" } });
    assert.equal(outcomes(calls), "sssh");
    harness.reconfigure({ limit: 1, queue: { length: 9, target: "0ms" } });
    calls[0]!.answer();
    assert.equal(outcomes(calls), "pssh");
  });

  it("finds a limit at which latency does not rise", () => {
    // A server that does 10 calls at a time, each in 10 ms: more only wait there.
    const capacity = 10;
    const config = { limit: 100, adaptive: { max: 200, window: "20ms" } };
    const harness = harnessFor(config, { seed: 4 });
    const limits: number[] = [];
    // First at ease, so that the usual latency is known, then 60 who always call again at once.
    const simulate = (clients: number, rounds: number): void => {
      let waiting: HarnessCall[] = [];
      for (let round = 0; round < rounds; round++) {
        while (waiting.length < clients) {
          const [call] = start(harness, 1);
          if (call!.outcome !== "sent") break;
          waiting.push(call!);
        }
        harness.advance(10);
        for (const call of waiting.slice(0, capacity)) call.answer();
        waiting = waiting.slice(capacity);
        limits.push(harness.counters["limit"]!);
      }
      for (const call of waiting) call.answer();
    };
    simulate(8, 100);
    assert.equal(limits.at(-1), 100, "who has no need of it does not change the limit");
    simulate(60, 300);
    const settled = limits.slice(-50);
    assert.ok(Math.max(...settled) <= 40, `limits up to ${Math.max(...settled)}`);
    assert.ok(Math.min(...settled) >= capacity, `limits down to ${Math.min(...settled)}`);
  });
});
