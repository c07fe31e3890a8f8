import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Origin, Status } from "@koala/interface";
import { definePolicy, type PolicyCall, type PolicyDefinition, z } from "@koala/policy";
import { FindRequestSchema, Stall } from "./gen/shop/v1/shop_pb.ts";
import { createPolicyHarness, type PolicyHarness } from "./harness.ts";
import type { HarnessOptions } from "./harness-options.ts";
import { measureMessageCost } from "./measure-message-cost.ts";

function policyOf(handlers: Partial<PolicyDefinition>): PolicyDefinition {
  return definePolicy<unknown, unknown>({
    name: "subject",
    version: "1.0.0",
    config: z.unknown(),
    ...handlers,
  });
}

function harnessOf(
  handlers: Partial<PolicyDefinition>,
  more: Partial<HarnessOptions> = {},
): PolicyHarness {
  return createPolicyHarness({ policy: policyOf(handlers), service: Stall, ...more });
}

describe("a stream", () => {
  it("shows the policy the messages of both sides, through the layout", () => {
    const seen: unknown[] = [];
    const harness = harnessOf({
      onRequest: (call) => void seen.push(call.request),
      onStreamMessage({ from, index, bytes, value }) {
        const { query, items } = value as { query?: string; items?: { sku: string }[] };
        seen.push([from, index, query ?? items?.[0]?.sku, bytes > 0]);
      },
      onResponse: (call) => void seen.push(call.response, call.status),
    });
    const stream = harness.stream("Haggle");
    assert.equal(stream.send({ query: "tea" }).outcome, "passed");
    stream.receive({ items: [{ sku: "s" }] });
    stream.send({ query: "milk" });
    stream.end();
    assert.deepEqual(seen, [
      undefined,
      ["client", 0, "tea", true],
      ["server", 0, "s", true],
      ["client", 1, "milk", true],
      undefined,
      Status.OK,
    ]);
    assert.equal(stream.call.outcome, "passed");
    assert.equal(stream.send().outcome, "lost", "it has ended");
  });

  it("has one request, or one reply, where the method has", () => {
    const seen: unknown[] = [];
    const harness = harnessOf({
      onRequest: (call) => void seen.push((call.request as { query?: string } | undefined)?.query),
      onResponse: (call) =>
        void seen.push((call.response as { order?: string } | undefined)?.order),
    });
    harness.stream("Watch", { request: { query: "tea" } }).end();
    const fill = harness.stream("Fill").end({ reply: { order: "o" } });
    assert.deepEqual(seen, ["tea", undefined, undefined, "o"]);
    assert.equal(fill.call.response?.["order"], "o");
    assert.throws(() => createPolicyHarness({ policy: policyOf({}), service: Stall }).stream("No"));
  });

  it("goes on as the policy changes it, or ends where the policy says", () => {
    const harness = harnessOf({
      onStreamMessage(message, call) {
        const { query } = message.value as { query: string };
        if (query === "bad") return call.deny(Status.PERMISSION_DENIED, "no", "rule 1");
        message.replace(create(FindRequestSchema, { query: `${query}!` }));
        return undefined;
      },
    });
    const stream = harness.stream("Fill", { timeoutMs: 100 });
    const tea = harness.stream("Haggle");
    assert.equal(tea.send({ query: "tea" }).value?.["query"], "tea!");
    const bad = tea.send({ query: "bad" });
    assert.deepEqual([bad.outcome, bad.value], ["denied", undefined]);
    const { outcome, status, origin, rule, deniedBy } = tea.call;
    assert.deepEqual([outcome, rule, deniedBy], ["denied", "rule 1", "subject"]);
    assert.deepEqual([status, origin], [Status.PERMISSION_DENIED, Origin.POLICY]);
    assert.equal(tea.send({ query: "tea" }).outcome, "lost");
    harness.advance(100);
    assert.equal(stream.call.outcome, "expired");
  });

  it("waits while its call is held", () => {
    const held: PolicyCall[] = [];
    const seen: string[] = [];
    const harness = harnessOf({
      onRequest(call) {
        held.push(call);
        return call.hold();
      },
      onStreamMessage: ({ value }) => void seen.push((value as { query: string }).query),
    });
    const [one, other] = [harness.stream("Haggle"), harness.stream("Haggle")];
    const messages = ["a", "b"].map((query) => one.send({ query }));
    const lost = other.send();
    assert.deepEqual([messages[0]!.outcome, seen], ["waiting", []]);
    held[0]!.resume();
    harness.advance(0);
    other.cancel();
    assert.deepEqual(
      [...messages, lost].map(({ outcome }) => outcome),
      ["passed", "passed", "lost"],
    );
    assert.deepEqual(seen, ["a", "b"]);
  });

  it("with a malformed message ends if the policy reads it", () => {
    const blind = harnessOf({ onStreamMessage: () => undefined }).stream("Fill");
    assert.equal(blind.send({}, { malformed: true }).outcome, "passed");
    const reading = harnessOf({ onStreamMessage: ({ value }) => void value }).stream("Fill");
    assert.equal(reading.send({}, { malformed: true }).outcome, "malformed");
    assert.equal(reading.call.status, Status.INTERNAL);
  });

  it("costs something", () => {
    const { nanosPerMessage, range } = measureMessageCost({
      policy: policyOf({ onStreamMessage: () => undefined }),
      service: Stall,
      method: "Haggle",
    });
    assert.ok(nanosPerMessage > 0 && range[0] <= range[1]);
  });
});
