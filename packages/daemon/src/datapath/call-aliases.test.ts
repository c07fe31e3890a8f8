import assert from "node:assert/strict";
import { test } from "node:test";
import { CallTable } from "./call.ts";
import { CallAliases } from "./call-aliases.ts";

test("CallAliases: a call is known by its other id until its reply comes", () => {
  const table = new CallTable();
  const carried = table.openCall()!;
  const plain = table.openCall()!;
  const aliases = new CallAliases();
  assert.equal(aliases.idOf(carried), carried.id);
  aliases.add(plain.id, carried);
  assert.ok(aliases.has(plain.id));
  assert.equal(aliases.idOf(carried), plain.id);
  assert.equal(aliases.idOf(plain), plain.id);
  assert.equal(aliases.take(carried.id), undefined);
  assert.equal(aliases.take(plain.id), carried);
  assert.equal(aliases.take(plain.id), undefined);
  assert.equal(aliases.has(plain.id), false);
  assert.equal(aliases.idOf(carried), carried.id);
});

test("CallTable: one that goes on from another has its open calls and gives no id again", () => {
  const before = new CallTable();
  const ended = before.openCall()!;
  const endedId = ended.id;
  const open = before.openCall()!;
  before.closeCall(ended);
  const after = new CallTable();
  after.restore(before.ids(), new Set([open.id]));
  assert.equal(after.count, 1);
  assert.ok(after.get(open.id)?.open);
  assert.equal(after.get(endedId), undefined);
  const next = after.openCall()!;
  assert.notEqual(next.id, endedId);
  assert.notEqual(next.id, open.id);
  assert.equal(after.openCall()!.id, 3);
});
