import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "@koala/interface";
import { createPolicyHarness, type PolicyHarness, Stall } from "@koala/testing-policy";
import { logPolicy } from "./policy.ts";

function linesOf(harness: PolicyHarness): string[] {
  harness.advance(1000);
  const text = harness.notices.map((notice) => (notice as { text: string }).text).join("");
  return text.split("\n").slice(0, -1);
}

function harnessOf(format: "json" | "text"): PolicyHarness {
  return createPolicyHarness({ policy: logPolicy, config: { format }, service: Stall });
}

describe("the line of a stream", () => {
  it("says how many messages and bytes there were", () => {
    const harness = harnessOf("json");
    const haggle = harness.stream("Haggle");
    const sent = [haggle.send({ query: "a" }), haggle.send({ query: "longer than a" })];
    const received = haggle.receive({ items: [{}] });
    haggle.end();
    harness.stream("Watch").end({ status: Status.NOT_FOUND });
    const [first, second] = linesOf(harness).map((line) => JSON.parse(line));
    assert.equal(first.request_messages, 2);
    assert.equal(first.response_messages, 1);
    assert.equal(
      first.request_bytes,
      sent.reduce((sum, { box }) => sum + box.bytes, 0),
    );
    assert.equal(first.response_bytes, received.box.bytes);
    assert.deepEqual([second.request_messages, second.response_messages], [undefined, 0]);
  });

  it("as text", () => {
    const harness = harnessOf("text");
    const fill = harness.stream("Fill");
    for (let i = 0; i < 3; i++) fill.send();
    fill.end();
    assert.match(linesOf(harness)[0]!, / bytes=\d+\/\d+ messages=3\/1$/);
  });
});
