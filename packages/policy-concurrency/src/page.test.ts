import { testPage } from "@koala/testing-policy";
import policy from "./index.ts";

testPage({
  policy,
  page: new URL("../../../docs/reference/policies/concurrency.md", import.meta.url),
  smallest: { limit: 1 },
  keys: [
    "limit",
    "by",
    "adaptive",
    "queue",
    "keys_max",
    "status",
    "min",
    "max",
    "tolerance",
    "window",
    "length",
    "wait",
    "target",
    "interval",
  ],
  defaults: ["by", "keys_max"],
});
