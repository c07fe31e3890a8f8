import assert from "node:assert/strict";
import { it } from "node:test";
import { Status } from "@koala/interface";
import { createPolicyHarness, Stall } from "@koala/testing-policy";
import { retryPolicy } from "./policy.ts";

it("retry leaves streams alone, also those of methods that are called idempotent", () => {
  const config = { idempotent: ["*"], hedge: { after: "1ms" } };
  const harness = createPolicyHarness({ policy: retryPolicy, config, service: Stall });
  for (const method of ["Watch", "Fill", "Haggle"]) {
    const stream = harness.stream(method);
    harness.advance(10);
    stream.end({ status: Status.UNAVAILABLE });
    assert.equal(stream.call.status, Status.UNAVAILABLE);
  }
  assert.equal(harness.attempts.length, 0);
});
