import assert from "node:assert/strict";
import { test } from "node:test";
import { closeFd } from "@koala/native";
import { isTaken, markTaken, readStateFile, writeStateFile } from "./state-file.ts";

test("gives back what was written, views included", () => {
  const pooled = Buffer.from("a view into a pool");
  const value = {
    text: "ü",
    none: null,
    list: [1, -1, 2 ** 40],
    bytes: new Uint8Array([1, 2, 3]),
    ids: new Uint32Array([7, 2 ** 32 - 1]),
    slot: new Int32Array(16).fill(-5),
    empty: new Uint8Array(0),
    large: new Uint8Array(3_000_001).fill(9),
    nested: [{ more: new Uint8Array(pooled) }],
  };
  const { fd, bytes } = writeStateFile("test", value);
  try {
    assert.ok(bytes > 3_000_000 && bytes < 3_010_000);
    assert.deepEqual(readStateFile(fd), value);
  } finally {
    closeFd(fd);
  }
});

test("is taken once somebody says so", () => {
  const { fd } = writeStateFile("test", { a: 1 });
  try {
    assert.equal(isTaken(fd), false);
    markTaken(fd);
    assert.equal(isTaken(fd), true);
    assert.deepEqual(readStateFile(fd), { a: 1 });
  } finally {
    closeFd(fd);
  }
});
