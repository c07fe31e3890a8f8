import assert from "node:assert/strict";
import { userInfo } from "node:os";
import { test } from "node:test";
import { resolvePrefix } from "./prefix.ts";

test("option, KOALA_PREFIX, XDG_RUNTIME_DIR, /tmp: the first that is set", () => {
  const environment = { KOALA_PREFIX: "/k", XDG_RUNTIME_DIR: "/run/user/1" };
  assert.equal(resolvePrefix("/o", environment), "/o");
  assert.equal(resolvePrefix(undefined, environment), "/k");
  assert.equal(resolvePrefix("", { ...environment, KOALA_PREFIX: "" }), "/run/user/1/koala");
  assert.equal(resolvePrefix(undefined, {}), `/tmp/koala-${userInfo().uid}`);
});
