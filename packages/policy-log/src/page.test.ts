import { testPage } from "@koala/testing-policy";
import policy from "./index.ts";

testPage({
  policy,
  page: new URL("../../../docs/reference/policies/log.md", import.meta.url),
  smallest: {},
  keys: ["file", "format", "sample", "errors", "metadata", "fields", "batch", "flush", "backlog"],
  defaults: ["format", "sample", "errors", "batch", "backlog"],
  replace: { file: "/tmp/koala-access.log" }, // its directory is there everywhere
});
