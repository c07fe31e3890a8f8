import { testPage } from "@koala/testing-policy";
import policy from "./index.ts";

testPage({
  policy,
  page: new URL("../../../docs/reference/policies/qos.md", import.meta.url),
  smallest: { classes: [{ name: "a", priority: 0 }] },
  keys: [
    "classes",
    "classes[].name",
    "classes[].caller",
    "classes[].method",
    "classes[].priority",
    "classes[].limit",
    "share",
    "linger",
    "queue",
  ],
  defaults: ["share", "queue"],
});
