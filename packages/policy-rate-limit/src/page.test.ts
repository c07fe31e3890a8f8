import assert from "node:assert/strict";
import { it } from "node:test";
import { testPage } from "@koala/testing-policy";
import policy from "./index.ts";

testPage({
  policy,
  page: new URL("../../../docs/reference/policies/rate-limit.md", import.meta.url),
  smallest: { rate: 100 },
  keys: [
    "rate",
    "burst",
    "count",
    "by",
    "key",
    "mode",
    "keys_max",
    "status",
    "queue.length",
    "queue.wait",
  ],
  defaults: ["count", "by", "mode", "keys_max"],
});

it("the default burst is 80 ms worth", () => {
  assert.equal(policy.config.parse({ rate: 100 }).burst, 8);
});
