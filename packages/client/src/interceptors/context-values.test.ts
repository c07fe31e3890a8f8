import assert from "node:assert/strict";
import { test } from "node:test";
import { createContextKey, createContextValues } from "./context-values.ts";

test("a value is what was set, or the default of its key", () => {
  const user = createContextKey("nobody", { description: "user" });
  const same = createContextKey("nobody", { description: "user" });
  const values = createContextValues();
  assert.equal(values.get(user), "nobody");
  assert.equal(values.set(user, "ada").get(user), "ada");
  assert.equal(values.get(same), "nobody");
  assert.equal(values.delete(user).get(user), "nobody");
});

test("undefined can be a value", () => {
  const key = createContextKey<string | undefined>("default");
  assert.equal(createContextValues().set(key, undefined).get(key), undefined);
});
