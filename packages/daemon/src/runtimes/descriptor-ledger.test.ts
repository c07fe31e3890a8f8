import assert from "node:assert/strict";
import { test } from "node:test";
import { doorbellCreate, doorbellRing } from "@koala/native";
import { countDescriptors } from "@koala/testing";
import { DescriptorLedger } from "./descriptor-ledger.ts";

test("lists what was added and not removed", () => {
  const ledger = new DescriptorLedger();
  for (const fd of [0, 31, 32, 1000, 70_000]) ledger.add(fd);
  ledger.remove(32);
  ledger.remove(5);
  assert.deepEqual(ledger.list(), [0, 31, 1000, 70_000]);
});

test("ignores numbers that no descriptor can have", () => {
  const ledger = new DescriptorLedger(new Int32Array(new SharedArrayBuffer(8)));
  for (const fd of [-1, 64, 1 << 30]) ledger.add(fd);
  assert.deepEqual(ledger.list(), []);
});

test("closes all that is left, once", () => {
  const before = countDescriptors();
  const ledger = new DescriptorLedger();
  const bells = [doorbellCreate(), doorbellCreate(), doorbellCreate()];
  for (const fd of bells) ledger.add(fd);
  assert.equal(ledger.closeAll(), 3);
  assert.equal(ledger.closeAll(), 0);
  assert.equal(countDescriptors(), before);
  assert.ok(doorbellRing(bells[0]!) < 0, "it is closed");
});

test("a descriptor that is closed already does not stop the others", () => {
  const before = countDescriptors();
  const ledger = new DescriptorLedger();
  const bell = doorbellCreate();
  ledger.add(1_000_000);
  ledger.add(bell);
  assert.equal(ledger.closeAll(), 2);
  assert.equal(countDescriptors(), before);
});
