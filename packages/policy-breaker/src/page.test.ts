import { testPage } from "@koala/testing-policy";
import policy from "./index.ts";

testPage({
  policy,
  page: new URL("../../../docs/reference/policies/breaker.md", import.meta.url),
  smallest: {},
  keys: ["failures", "statuses", "eject", "eject_max", "percent_max", "when_all"],
  defaults: ["failures", "percent_max", "when_all"],
});
