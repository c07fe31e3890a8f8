import { testPage } from "@koala/testing-policy";
import policy from "./index.ts";

testPage({
  policy,
  page: new URL("../../../docs/reference/policies/mirror.md", import.meta.url),
  smallest: { target: "next" },
  keys: ["target", "probability", "method", "timeout"],
  defaults: ["probability"],
});
