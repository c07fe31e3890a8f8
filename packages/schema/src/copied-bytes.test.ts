import assert from "node:assert";
import test from "node:test";
import { copiedBytes } from "./copied-bytes.ts";

const from = Uint8Array.from({ length: 10_000 }, (_, i) => i * 7);

test("copies of any length are equal to what they are copies of", () => {
  for (const length of [0, 1, 15, 16, 17, 64, 65, 66, 71, 72, 73, 2047, 2048, 2049, 9000]) {
    const copy = copiedBytes(from, 13, length);
    assert.deepStrictEqual(copy, from.slice(13, 13 + length), `${length} bytes`);
    assert.notStrictEqual(copy.buffer, from.buffer);
  }
});

test("copies that share memory do not overlap", () => {
  const copies = Array.from({ length: 500 }, (_, i) => copiedBytes(from, i, 65 + (i % 1000)));
  for (const copy of copies) copy.fill(255);
  const [first, second] = [copiedBytes(from, 0, 100), copiedBytes(from, 1, 100)];
  first.fill(1);
  assert.deepStrictEqual(second, from.slice(1, 101));
  assert(copies.every((copy) => copy.every((byte) => byte === 255)));
});

test("what others share can't be taken away from them by a transfer", () => {
  const copy = copiedBytes(from, 0, 100);
  const neighbour = copiedBytes(from, 100, 100);
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(copy, [copy.buffer as ArrayBuffer]);
  } catch {
    // Node 20 copies instead of transferring, later versions refuse.
  }
  port1.close();
  port2.close();
  assert.deepStrictEqual(neighbour, from.slice(100, 200));
  assert.deepStrictEqual(copy, from.slice(0, 100));
});
