import assert from "node:assert/strict";
import { it } from "node:test";
import { GreetService } from "@koala/example-hello/dist/gen/hello/v1/hello_pb.js";
import { createPolicyHarness } from "@koala/testing-policy";
import policy from "./no-shouting.ts";

const harness = createPolicyHarness({ policy, service: GreetService, config: { marks: 1 } });

it("lets quiet callers pass, and the others not", () => {
  assert.equal(harness.call("Greet", { name: "Koala!" }).outcome, "passed");
  const call = harness.call("Greet", { name: "Koala!!" });
  assert.equal(call.outcome, "denied");
  assert.equal(call.rule, "marks");
  assert.equal(harness.counters["shouted"], 1);
});
