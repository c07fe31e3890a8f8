import assert from "node:assert/strict";
import { test } from "node:test";
import { closeFd, doorbellClear, doorbellCreate } from "@koala/native";
import { SlotFlag, SlotKind } from "@koala/protocol";
import { openMemory, RingConsumer, RingProducer, ringBytes } from "@koala/shm";
import { SlotOutbox } from "./slot-outbox.ts";

const slots = 8;

interface Pair {
  out: SlotOutbox;
  ring: RingConsumer;
  words: Int32Array;
  bell: number;
}

function open(t: { after(callback: () => void): void }): Pair {
  const memory = openMemory(new ArrayBuffer(ringBytes(slots)));
  const bell = doorbellCreate();
  t.after(() => closeFd(bell));
  const out = new SlotOutbox(new RingProducer(memory, 0, slots), memory.i32, bell);
  return { out, ring: new RingConsumer(memory, 0, slots), words: memory.i32, bell };
}

function write(out: SlotOutbox, value: number): void {
  const at = out.reserve();
  out.words[at] = value;
}

test("slots beyond the ring follow in order as room comes, in any pattern", (t) => {
  const { out, ring, words } = open(t);
  let written = 0;
  let read = 0;
  for (let round = 0; round < 500; round++) {
    for (let i = 0; i < (round * 7) % 23; i++) write(out, ++written);
    out.flush();
    for (let i = 0; i < (round * 5) % 19; i++) {
      const at = ring.next();
      if (at === -1) break;
      assert.equal(words[at], ++read);
    }
    ring.release();
  }
  while (read < written) {
    out.flush();
    for (let at = ring.next(); at !== -1; at = ring.next()) assert.equal(words[at], ++read);
    ring.release();
  }
  assert.ok(out.isEmpty(slots));
});

test("the doorbell rings for a sleeper, once", (t) => {
  const { out, ring, bell } = open(t);
  write(out, 1);
  out.flush();
  assert.equal(doorbellClear(bell), 0);
  ring.next();
  assert.ok(ring.sleep());
  write(out, 2);
  write(out, 3);
  out.flush();
  write(out, 4);
  out.flush();
  assert.equal(doorbellClear(bell), 1);
});

test("released blocks ride on other slots; more than six get slots of their own", (t) => {
  const { out, ring, words } = open(t);
  for (let i = 1; i <= 6; i++) out.release(i, i * 64, 100);
  out.flush();
  assert.equal(ring.next(), -1);
  const at = out.reserve();
  assert.equal(out.attachRelease(out.words, at), SlotFlag.RELEASES);
  assert.deepEqual([...out.words.subarray(at + 12, at + 14)], [6, 384]);
  for (let i = 7; i <= 20; i++) out.release(i, i * 64, 100);
  out.flush();
  ring.next();
  const named: number[] = [];
  for (let slot = ring.next(); slot !== -1; slot = ring.next()) {
    assert.equal(words[slot]! & 0xff, SlotKind.RELEASE);
    for (let i = 0; i < words[slot]! >>> 16; i++) named.push(words[slot + 1 + 2 * i]!);
  }
  assert.equal(named.length + out.releaseCount, 19);
  assert.equal(new Set(named).size, named.length);
  assert.ok(out.releaseCount < 7);
});

test("large blocks are given back at once", (t) => {
  const { out, ring, words } = open(t);
  out.release(1, 64, 1 << 20);
  out.flush();
  const at = ring.next();
  assert.deepEqual([...words.subarray(at, at + 3)], [SlotKind.RELEASE | (1 << 16), 1, 64]);
});
