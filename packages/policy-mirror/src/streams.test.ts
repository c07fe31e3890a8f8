import assert from "node:assert/strict";
import { it } from "node:test";
import { createPolicyHarness, Stall } from "@koala/testing-policy";
import { mirrorPolicy } from "./policy.ts";

it("mirror copies no streams", () => {
  const config = { target: "shadow" };
  const harness = createPolicyHarness({ policy: mirrorPolicy, config, service: Stall });
  for (const method of ["Watch", "Fill", "Haggle"]) {
    const stream = harness.stream(method);
    stream.send();
    stream.end();
    assert.equal(stream.call.outcome, "passed");
  }
  assert.equal(harness.mirrored.length, 0);
});
