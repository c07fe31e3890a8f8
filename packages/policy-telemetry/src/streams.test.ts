import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPolicyHarness, Stall } from "@koala/testing-policy";
import { telemetry } from "./policy.ts";
import { readShared } from "./series.ts";
import { Position } from "./slab.ts";

describe("telemetry: streams", () => {
  it("counts messages and bytes of both directions, before and after an upgrade", () => {
    const harness = createPolicyHarness({ policy: telemetry as never, service: Stall });
    const haggle = harness.stream("Haggle", { caller: { app: "web" } });
    const sent = [haggle.send({ query: "a" }), haggle.send({ query: "a longer one" })];
    harness.upgrade(telemetry as never);
    sent.push(haggle.send({ query: "b" }));
    const received = [haggle.receive({ items: [{}] })];
    haggle.end();
    const fill = harness.stream("Fill", { caller: { app: "web" } });
    fill.send();
    const { series } = readShared(harness.shared, 1);
    const numbersOf = (name: string): Float64Array =>
      series.find(({ method }) => method === name)!.numbers;
    const bytes = (all: typeof sent): number => all.reduce((sum, { box }) => sum + box.bytes, 0);
    const numbers = numbersOf("Haggle");
    assert.equal(numbers[Position.REQUEST_MESSAGES], 3);
    assert.equal(numbers[Position.RESPONSE_MESSAGES], 1);
    assert.equal(numbers[Position.REQUEST_BYTES], bytes(sent));
    assert.equal(numbers[Position.RESPONSE_BYTES], bytes(received));
    assert.equal(numbers[Position.STARTED], 1);
    assert.equal(numbersOf("Fill")[Position.REQUEST_MESSAGES], 1, "also while it is open");
  });
});
