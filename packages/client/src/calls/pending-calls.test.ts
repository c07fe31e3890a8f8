import assert from "node:assert/strict";
import { test } from "node:test";
import { PendingCalls } from "./pending-calls.ts";

test("ids find their calls, and only while they are pending", () => {
  const calls = new PendingCalls(4);
  const first = calls.take();
  const second = calls.take();
  assert.equal(calls.find(first.id), first);
  assert.equal(calls.find(second.id), second);
  assert.equal(calls.find(2), undefined);
  const stale = first.id;
  calls.drop(first);
  assert.equal(calls.find(stale), undefined);
  const next = calls.take();
  assert.equal(next, first, "entries are used again");
  assert.notEqual(next.id, stale);
  assert.equal(calls.find(stale), undefined);
  assert.equal(calls.size, 2);
  assert.deepEqual(calls.active(), [next, second]);
});

test("the index stays below the maximum, through all generations", () => {
  const calls = new PendingCalls(1);
  const seen = new Set<number>();
  for (let i = 0; i < 5000; i++) {
    const call = calls.take();
    assert.equal(call.id & 0xfffff, 0);
    assert.equal(call.id, call.id | 0);
    seen.add(call.id);
    calls.drop(call);
  }
  assert.equal(seen.size, 4096);
});
