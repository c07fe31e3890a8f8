import { testPage } from "@koala/testing-policy";
import policy from "./index.ts";

testPage({
  policy,
  page: new URL("../../../docs/reference/policies/fault.md", import.meta.url),
  smallest: { abort: {} },
  keys: [
    "seed",
    "delay",
    "abort",
    "rules",
    "time",
    "min",
    "max",
    "probability",
    "status",
    "message",
    "messages",
    "method",
  ],
});
