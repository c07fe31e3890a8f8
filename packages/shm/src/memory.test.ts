import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openMemory } from "./memory.ts";

describe("openMemory", () => {
  it("gives all views over the same bytes", () => {
    const memory = openMemory(new ArrayBuffer(64));
    memory.u64[1] = 0x1122334455667788n;
    assert.equal(memory.u32[2], 0x55667788);
    assert.equal(memory.u8[8], 0x88);
    assert.equal(memory.i64[1], 0x1122334455667788n);
    memory.f64[2] = 1;
    assert.equal(memory.i32[5], 0x3ff00000);
    memory.f32[8] = 1;
    assert.equal(memory.u32[8], 0x3f800000);
    memory.node.write("koala", 40);
    assert.equal(memory.u8[40], "k".charCodeAt(0));
  });

  it("refuses lengths that not all views can have", () => {
    assert.throws(() => openMemory(new ArrayBuffer(12)), RangeError);
  });
});
