import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type DescMessage } from "@bufbuild/protobuf";
import { openMemory } from "@koala/shm";
import { codecFor } from "./codec.ts";
import { FlatSchema } from "./gen/bench/v1/flat_pb.ts";
import { SearchReplySchema } from "./gen/hotel/v1/hotel_pb.ts";
import { Required2Schema } from "./gen/test/v1/kitchen_proto2_pb.ts";
import { Kitchen3Schema } from "./gen/test/v1/kitchen_proto3_pb.ts";
import { boxed, carried } from "./message-box-helper.test.ts";

function refuses(desc: DescMessage, init: object, message: RegExp): void {
  const value = { ...create(desc), ...init };
  assert.throws(() => boxed(codecFor(desc), value), { code: "ERR_SCHEMA_VALUE", message });
}

describe("a value that its field can't have", () => {
  const cases: [object, RegExp][] = [
    [
      { fInt32: "5" },
      /test\.v1\.Kitchen3\.fInt32: found the string "5", expected an integer from -2147/,
    ],
    [{ fInt32: 1.5 }, /\.fInt32: found the number 1\.5, expected an integer/],
    [{ fInt32: 2 ** 31 }, /\.fInt32: found the number 2147483648/],
    [{ fUint32: -1 }, /\.fUint32: found the number -1, expected an integer from 0 to 4294967295/],
    [
      { fInt64: 2n ** 63n },
      /\.fInt64: found the bigint 9223372036854775808, expected a bigint from -2\^63/,
    ],
    [{ fInt64: 1.5 }, /\.fInt64: found the number 1\.5/],
    [{ fInt64: "1x" }, /\.fInt64: found the string "1x"/],
    [{ fUint64: -1n }, /\.fUint64: found the bigint -1, expected a bigint from 0/],
    [{ fFloat: 1e40 }, /\.fFloat: found the number 1e\+40, expected a number in the range/],
    [{ fDouble: "1" }, /\.fDouble: found the string "1", expected a number/],
    [{ fBool: 1 }, /\.fBool: found the number 1, expected a boolean/],
    [{ fString: 5 }, /\.fString: found the number 5, expected a string/],
    [{ fString: undefined }, /\.fString: found undefined, expected a string/],
    [{ fBytes: [1, 2] }, /\.fBytes: found an array, expected a Uint8Array/],
    [{ fEnum: "ONE" }, /\.fEnum: found the string "ONE", expected a 32-bit integer of its enum/],
    [
      { fMessage: {} },
      /\.fMessage: found an object with \$typeName undefined, expected a test\.v1\.Kitchen3/,
    ],
    [{ fMessage: null }, /\.fMessage: found null, expected a test\.v1\.Kitchen3 message/],
    [{ rString: "abc" }, /\.rString: found the string "abc", expected an array/],
    [{ rString: ["a", 5] }, /\.rString\[1\]: found the number 5, expected a string/],
    [{ rBool: [true, 0] }, /\.rBool\[1\]: found the number 0, expected a boolean/],
    [{ mStringString: [] }, /\.mStringString: found an array, expected an object/],
    [
      { mInt32Bytes: { x: new Uint8Array(0) } },
      /\.mInt32Bytes\["x"\]: found the key the string "x"/,
    ],
    [{ mUint32Bool: { 5: 1 } }, /\.mUint32Bool\["5"\]: found the number 1, expected a boolean/],
    [{ choice: undefined }, /\.choice: found undefined, expected an object \{case, value\}/],
    [
      { choice: { case: "cInt32", value: "x" } },
      /\.choice\.value \(cInt32\): found the string "x"/,
    ],
    [
      { choice: { case: "other", value: 1 } },
      /\.choice\.case: found the string "other", expected cInt32/,
    ],
    [{ wInt32: "1" }, /\.wInt32: found the string "1", expected an integer/],
    [
      { $unknown: [{ no: 0, wireType: 0, data: new Uint8Array([1]) }] },
      /\.\$unknown: found malformed/,
    ],
  ];
  for (const [init, message] of cases) {
    it(`is named: ${message.source.slice(0, 60)}`, () => refuses(Kitchen3Schema, init, message));
  }

  it("is named with its whole path", () => {
    const reply = create(SearchReplySchema, { hotels: [{}, { address: { city: "x" } }] });
    (reply.hotels[1]!.address as { city: unknown }).city = 7;
    const message =
      /^hotel\.v1\.SearchReply\.hotels\[1\]\.address\.city: found the number 7, expected a/;
    assert.throws(() => boxed(codecFor(SearchReplySchema), reply), { message });
  });

  it("is named when it is missing or the wrong message", () => {
    const required = create(Required2Schema, { id: 1 });
    const message = /Required2\.name: found nothing, expected a value: the field is required/;
    assert.throws(() => boxed(codecFor(Required2Schema), required), { message });
    const wrong = /found an object with \$typeName the string "bench\.v1\.Flat", expected a hotel/;
    assert.throws(() => boxed(codecFor(SearchReplySchema), create(FlatSchema)), { message: wrong });
    assert.throws(() => boxed(codecFor(SearchReplySchema), null), { code: "ERR_SCHEMA_VALUE" });
  });

  it("is named when a message contains itself", () => {
    const message = create(Kitchen3Schema, {});
    message.fMessage = message;
    const expected = { code: "ERR_SCHEMA_VALUE", message: /at most 100 nested messages/ };
    assert.throws(() => boxed(codecFor(Kitchen3Schema), message), expected);
  });

  it("does not break the writer for the next message", () => {
    refuses(FlatSchema, { name: 5 }, /Flat\.name/);
    const message = create(FlatSchema, { name: "fine" });
    assert.deepStrictEqual(carried(FlatSchema, message), message);
  });

  it("reports a getter that throws", () => {
    const message = create(FlatSchema);
    Object.defineProperty(message, "name", {
      get() {
        throw new Error("no name today");
      },
    });
    const expected = { code: "ERR_SCHEMA_VALUE", message: /can't be written: no name today/ };
    assert.throws(() => boxed(codecFor(FlatSchema), message), expected);
  });
});

describe("a block that is too small", () => {
  it("is answered with a size that leads to success in few tries", () => {
    const codec = codecFor(SearchReplySchema);
    const hotels = Array.from({ length: 500 }, (_, i) => ({ name: `Hotel ${i}`, id: "ü" }));
    const message = create(SearchReplySchema, { hotels });
    let size = 64;
    let tries = 0;
    for (; tries < 20; tries++) {
      const memory = openMemory(new ArrayBuffer(size));
      const result = codec.write(message, memory, 0, size, { add: () => -1 });
      if (result > 0) break;
      assert.ok(-result > size);
      size = -result;
    }
    assert.ok(tries <= 4, `took ${tries} tries`);
  });

  it("does not add segments twice in one attempt", () => {
    const codec = codecFor(FlatSchema);
    const memory = openMemory(new ArrayBuffer(1024));
    let added = 0;
    const sink = { add: () => added++ };
    // Not ASCII: the writer starts over inside of one call.
    const message = create(FlatSchema, { token: new Uint8Array(4096), name: "ü" });
    assert.ok(codec.write(message, memory, 0, 1024, sink) > 0);
    assert.equal(added, 1);
  });
});
