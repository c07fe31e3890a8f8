import assert from "node:assert/strict";
import { test } from "node:test";
import { Closures, closuresMax } from "./closures.ts";

test("keeps the last ones, oldest first", () => {
  const closures = new Closures();
  for (let i = 0; i < closuresMax + 3; i++) closures.note("app", `app[${i}]`, "", "it ended");
  const status = closures.status();
  assert.equal(status.length, closuresMax);
  assert.equal(status[0]!.who, "app[3]");
  assert.equal(status.at(-1)!.who, `app[${closuresMax + 2}]`);
});

test("says when and why, in bounds", () => {
  const closures = new Closures();
  const before = Date.now();
  closures.note("link", "127.0.0.1:1", "ERR_X", "y".repeat(100_000));
  const [entry] = closures.status();
  assert.ok(Date.parse(entry!.at) >= before);
  assert.deepEqual([entry!.kind, entry!.who, entry!.code], ["link", "127.0.0.1:1", "ERR_X"]);
  assert.equal(entry!.reason.length, 1000);
});
