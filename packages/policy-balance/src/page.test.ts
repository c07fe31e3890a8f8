import { testPage } from "@koala/testing-policy";
import policy from "./index.ts";

testPage({
  policy,
  page: new URL("../../../docs/reference/policies/balance.md", import.meta.url),
  smallest: { method: "random" },
  keys: ["method", "choices", "key", "weights", "health"],
  defaults: ["choices", "key", "health"],
});
