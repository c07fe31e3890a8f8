import { testPage } from "@koala/testing-policy";
import policy from "./index.ts";

testPage({
  policy,
  page: new URL("../../../docs/reference/policies/retry.md", import.meta.url),
  smallest: {},
  keys: [
    "attempts",
    "statuses",
    "idempotent",
    "attempt_timeout",
    "backoff.base",
    "backoff.max",
    "budget.ratio",
    "budget.min_per_second",
    "hedge.after",
    "hedge.parallel",
  ],
  defaults: ["attempts"],
});
