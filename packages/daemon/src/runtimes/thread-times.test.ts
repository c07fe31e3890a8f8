import assert from "node:assert/strict";
import { test } from "node:test";
import { threadTimes } from "./thread-times.ts";

test("a thread that works has run longer afterwards", () => {
  const before = threadTimes(process.pid);
  if (before === undefined) return; // this kernel keeps no such account
  const end = performance.now() + 30;
  while (performance.now() < end);
  const after = threadTimes(process.pid)!;
  assert.ok(after.ranMs > before.ranMs);
  assert.ok(after.queuedMs >= before.queuedMs);
});

test("no thread has no times", () => {
  assert.equal(threadTimes(0), undefined);
  assert.equal(threadTimes(2 ** 22 + 1), undefined);
});
