import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { KoalaError, Origin, Status } from "@koala/interface";
import { definePolicy, type PolicyCall, type PolicyDefinition, z } from "@koala/policy";
import { FakeClock } from "./fake-clock.ts";
import { FindReplySchema, FindRequestSchema, Shop } from "./gen/shop/v1/shop_pb.ts";
import { createPolicyHarness, type PolicyHarness } from "./harness.ts";
import type { HarnessOptions } from "./harness-options.ts";

/** A policy of these handlers, in a harness. */
function harnessOf(
  handlers: Partial<PolicyDefinition>,
  more: Partial<HarnessOptions> = {},
): PolicyHarness {
  const policy = definePolicy<unknown, unknown>({
    name: "subject",
    version: "1.0.0",
    config: z.unknown(),
    ...handlers,
  });
  return createPolicyHarness({ policy, service: Shop, ...more });
}

interface Find {
  readonly query: string;
  readonly customer?: { readonly id: string };
}

describe("a call", () => {
  it("shows the policy what the test gave, through the layout", () => {
    const seen: unknown[] = [];
    const harness = harnessOf({
      onRequest(call) {
        const { query, customer } = call.request as Find;
        seen.push(query, customer?.id, call.caller.app, call.metadata.get("k"), call.method.name);
        seen.push(call.target, call.side, call.requestBytes > 0, call.timeLeftMs);
      },
      onResponse(call) {
        const { items } = call.response as { items: { sku: string }[] };
        seen.push(items[0]!.sku, call.trailers.get("t"), call.status, call.endpoint?.label);
        seen.push(call.request, call.metadata.get("k"), call.requestBytes > 0);
      },
    });
    const call = harness.call(
      "Find",
      { query: "é", customer: { id: "c" } },
      {
        caller: { app: "web" },
        target: "shop",
        metadata: { k: "v" },
        timeoutMs: 50,
        reply: { items: [{ sku: "s" }] },
        trailers: { t: "1" },
      },
    );
    assert.deepEqual(seen.slice(0, 9), ["é", "c", "web", "v", "Find", "shop", "client", true, 50]);
    assert.deepEqual(seen.slice(9), ["s", "1", Status.OK, "server", undefined, undefined, true]);
    assert.equal(call.outcome, "passed");
    assert.equal((call.request as unknown as Find).query, "é");
    assert.deepEqual(call.metadata, { k: "v" });
  });

  it("goes on as the policy changes it", () => {
    const harness = harnessOf({
      onRequest(call) {
        const { query } = call.request as Find;
        call.setRequest(create(FindRequestSchema, { query: `${query} and more`, limit: 1 }));
        call.metadata.set("added", "1");
        call.priority = 3;
        call.trace = { traceId: "a".repeat(32), spanId: "b".repeat(16), sampled: true };
      },
      onResponse(call) {
        call.setResponse(create(FindReplySchema, { items: [{ sku: "new" }] }));
      },
    });
    const call = harness.call("Find", { query: "tea" });
    assert.equal(call.request["query"], "tea and more");
    assert.deepEqual(call.metadata, { added: "1" });
    assert.equal(call.priority, 3);
    assert.equal(call.trace?.traceId, "a".repeat(32));
    assert.equal((call.response!["items"] as { sku: string }[])[0]!.sku, "new");
  });

  it("is denied, before it is sent or when its reply is there", () => {
    const deny = (call: PolicyCall): 0 | 1 | 2 => {
      call.trailers.set("why", "so");
      return call.deny(Status.ABORTED, "no", "rule 1");
    };
    for (const handlers of [{ onRequest: deny }, { onResponse: deny }]) {
      const call = harnessOf(handlers).call("Find", {}, { reply: { items: [{}] } });
      const { outcome, status, origin, message, rule, deniedBy, response } = call;
      assert.deepEqual([outcome, message, rule, deniedBy], ["denied", "no", "rule 1", "subject"]);
      assert.equal(status, Status.ABORTED);
      assert.equal(origin, Origin.POLICY);
      assert.equal(response, undefined);
    }
    assert.deepEqual(harnessOf({ onRequest: deny }).call("Find").trailers, { why: "so" });
  });

  it("is held until the policy lets it go, gives up, or runs out of time", () => {
    const held: PolicyCall[] = [];
    let ends = 0;
    const harness = harnessOf({
      onRequest(call) {
        held.push(call);
        return call.hold();
      },
      onResponse() {
        ends++;
      },
    });
    const calls = [0, 1, 2].map(() => harness.call("Find", {}, { timeoutMs: 20 }));
    assert.equal(harness.held, 3);
    held[0]!.resume();
    calls[1]!.cancel();
    harness.advance(19);
    assert.deepEqual(
      calls.map(({ outcome }) => outcome),
      ["passed", "cancelled", "held"],
    );
    harness.advance(1);
    assert.equal(calls[2]!.outcome, "expired");
    assert.equal(calls[2]!.status, Status.DEADLINE_EXCEEDED);
    assert.equal(ends, 3);
    held[2]!.resume();
    assert.equal(calls[2]!.outcome, "expired", "nothing can happen to it any more");
  });

  it("of start is answered by the test, once", () => {
    const harness = harnessOf({});
    const call = harness.start("Buy", {});
    assert.equal(call.outcome, "sent");
    call.answer({ status: Status.NOT_FOUND, statusMessage: "none" }).answer();
    assert.equal(call.status, Status.NOT_FOUND);
    assert.equal(call.message, "none");
  });

  it("goes to the server that the policy chooses", () => {
    const harness = harnessOf(
      { onRoute: (_, endpoints) => endpoints.filter(({ label }) => label !== "a") },
      { endpoints: ["a", { label: "b", inFlight: 7 }] },
    );
    assert.equal(harness.start("Find").endpoint, "b");
    assert.equal(harness.endpoints[1]!.inFlight, 8);
    const none = harnessOf({ onRoute: () => [] }).call("Find");
    assert.equal(none.status, Status.UNAVAILABLE);
  });

  it("does not meet a policy that is not for it", () => {
    const deny = (call: PolicyCall): 0 | 1 | 2 => call.deny(Status.ABORTED, "no");
    const harness = harnessOf({ onRequest: deny }, { match: { method: ["Buy"], caller: ["web"] } });
    assert.equal(harness.call("Find").outcome, "passed");
    assert.equal(harness.call("Buy").outcome, "passed");
    assert.equal(harness.call("Buy", {}, { caller: { app: "web" } }).outcome, "denied");
  });

  it("that is malformed is no fault of the policy", () => {
    const harness = harnessOf({ onRequest: (call) => void call.request });
    assert.equal(harness.call("Find", {}, { malformed: true }).outcome, "malformed");
    assert.equal(harness.failure, "");
  });
});

describe("attempts and mirrors", () => {
  it("are made behind the policy, until one is good enough", () => {
    const statuses = [Status.UNAVAILABLE, Status.OK];
    const harness = harnessOf(
      {
        onRequest(call, ctx) {
          const attempt = (): void => {
            ctx.attempt(call, {
              onEnd({ status, number }) {
                if (status === Status.OK || number === 3) return true;
                attempt();
                return false;
              },
            });
          };
          attempt();
          return call.hold();
        },
      },
      { respond: () => ({ status: statuses.shift()! }) },
    );
    assert.equal(harness.call("Find").outcome, "passed");
    assert.deepEqual(
      harness.attempts.map(({ number, status }) => [number, status]),
      [
        [1, Status.UNAVAILABLE],
        [2, Status.OK],
      ],
    );
    assert.equal(harness.endpoints[0]!.inFlight, 0);
  });

  it("of a mirror are recorded", () => {
    const ended: Status[] = [];
    const harness = harnessOf({
      onRequest(call, ctx) {
        const onEnd = (status: Status): void => void ended.push(status);
        ctx.mirror(call, { target: "shadow", timeoutMs: 5, onEnd });
      },
    });
    harness.call("Find", { query: "tea" });
    const [copy] = harness.mirrored;
    assert.equal(copy!.target, "shadow");
    assert.equal(copy!.request["query"], "tea");
    assert.deepEqual(ended, [Status.OK]);
  });
});

describe("the harness", () => {
  it("refuses configurations and methods that there are not, with the reason", () => {
    const config = z.strictObject({ limit: z.number() });
    assert.throws(
      () => harnessOf({ config }, { config: { limit: "x" } }),
      (error) => error instanceof KoalaError && /refused: limit: /.test(error.message),
    );
    assert.throws(() => harnessOf({}).call("Nope"), /has no method "Nope"; it has Find, Buy/);
  });

  it("throws what a policy throws, with its place, or keeps it", () => {
    const onRequest = (): never => {
      throw new Error("a mistake");
    };
    assert.throws(() => harnessOf({ onRequest }).call("Find"), /onRequest threw: a mistake/);
    const harness = harnessOf({ onRequest }, { allowFailure: true });
    assert.equal(harness.call("Find").status, Status.UNAVAILABLE);
    assert.match(harness.failure, /a mistake/);
    const open = harnessOf({ onRequest }, { allowFailure: true, onFailure: "open" });
    assert.equal(open.call("Find").outcome, "passed");
  });

  it("moves state to other code, and stays with the old when that refuses", () => {
    const version = (text: string, accepts: boolean): Partial<PolicyDefinition> => ({
      start: () => ({ calls: 0 }),
      onRequest(call, { state }) {
        call.metadata.set("seen", `${text} ${++(state as { calls: number }).calls}`);
      },
      export: ({ state }) => state,
      import(saved) {
        if (!accepts) throw new Error("not mine");
        return saved;
      },
    });
    const harness = harnessOf(version("one", true));
    harness.call("Find");
    const other = (text: string, accepts: boolean): PolicyDefinition =>
      definePolicy<unknown, unknown>({
        name: "subject",
        version: "2.0.0",
        config: z.unknown(),
        ...version(text, accepts),
      });
    harness.upgrade(other("two", true));
    assert.deepEqual(harness.call("Find").metadata, { seen: "two 2" });
    assert.throws(() => harness.upgrade(other("three", false)), /not mine/);
    assert.deepEqual(harness.call("Find").metadata, { seen: "two 3" });
  });

  it("records what the policy says, and starts and ends its control part", async () => {
    const heard: unknown[] = [];
    let isClosed = false;
    const harness = harnessOf({
      counters: ["n"],
      sharedBytes: (_, runtimes) => 8 * runtimes,
      onRequest(_, ctx) {
        ctx.counters["n"]!++;
        ctx.warn("careful", { a: 1 });
        ctx.event("happened");
        ctx.notify({ bytes: new Uint8Array([1]) });
      },
      control: ({ shared }) => ({
        onNotice: (message) => void heard.push(message, shared.byteLength),
        close: () => {
          isClosed = true;
        },
      }),
    });
    await harness.startControl();
    harness.call("Find");
    await harness.stop();
    assert.deepEqual({ ...harness.counters }, { n: 1 });
    assert.deepEqual(harness.warnings, [{ what: "careful", fields: { a: 1 } }]);
    assert.equal(harness.events[0]!.what, "happened");
    assert.deepEqual(heard, [{ bytes: new Uint8Array([1]) }, 8]);
    assert.ok(isClosed);
  });

  it("gives the same random numbers for the same seed", () => {
    const numbers = (seed: number): number[] => {
      const list: number[] = [];
      const harness = harnessOf({ onRequest: (_, ctx) => void list.push(ctx.random()) }, { seed });
      for (let i = 0; i < 3; i++) harness.call("Find");
      return list;
    };
    assert.deepEqual(numbers(1), numbers(1));
    assert.notDeepEqual(numbers(1), numbers(2));
  });
});

describe("FakeClock", () => {
  it("fires timers in order, at their moments, and those that they set", () => {
    const clock = new FakeClock();
    const begin = clock.nowMs;
    const fired: string[] = [];
    const note = (name: string) => () => void fired.push(`${name} ${clock.nowMs - begin}`);
    clock.timer(note("late")).set(30);
    const again = clock.timer(() => {
      note("again")();
      if (clock.nowMs < begin + 20) again.set(10);
    });
    again.set(10);
    const cleared = clock.timer(note("never"));
    cleared.set(5);
    cleared.clear();
    clock.timer(note("soon")).set(0);
    clock.advance(25);
    assert.deepEqual(fired, ["soon 1", "again 10", "again 20"]);
    assert.equal(clock.pending, 1);
    clock.advance(5);
    assert.equal(fired.at(-1), "late 30");
  });
});
