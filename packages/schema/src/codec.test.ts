import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  create,
  type DescMessage,
  equals,
  fromBinary,
  getExtension,
  isFieldSet,
  type Message,
  setExtension,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { openMemory } from "@koala/shm";
import * as fc from "fast-check";
import { codecFor } from "./codec.ts";
import { FlatSchema } from "./gen/bench/v1/flat_pb.ts";
import { SearchReplySchema } from "./gen/hotel/v1/hotel_pb.ts";
import { ClosedE, ImplicitESchema, KitchenESchema } from "./gen/test/v1/kitchen_editions_pb.ts";
import {
  ext_numbers,
  ext_string,
  Kitchen2Schema,
  Required2Schema,
} from "./gen/test/v1/kitchen_proto2_pb.ts";
import {
  EmptySchema,
  type Kitchen3,
  Kitchen3Schema,
  NamesSchema,
} from "./gen/test/v1/kitchen_proto3_pb.ts";
import {
  boxed,
  carried,
  diceOf,
  materialized,
  randomMessage,
  validated,
} from "./message-box-helper.test.ts";

const types: DescMessage[] = [
  FlatSchema,
  SearchReplySchema,
  Kitchen3Schema,
  Kitchen2Schema,
  Required2Schema,
  KitchenESchema,
  ImplicitESchema,
  NamesSchema,
  EmptySchema,
];

/** Through protobuf's own encoding and back: what a read message has to equal. */
function expected(desc: DescMessage, message: Message): Message {
  return fromBinary(desc, toBinary(desc, message));
}

/** Runs a check on random messages; fast-check prints the seed of a failure. */
function forRandom(desc: DescMessage, runs: number, check: (message: Message) => void): void {
  const property = fc.property(fc.integer(), fc.integer({ min: 1, max: 9 }), (seed, richness) => {
    check(randomMessage(desc, diceOf(seed), 3, richness));
  });
  void fc.assert(property, { numRuns: runs });
}

/** A memory that every function of a codec has worked on. */
function used(): ArrayBuffer {
  const codec = codecFor(SearchReplySchema);
  const box = boxed(codec, create(SearchReplySchema, { hotels: [{ name: "x".repeat(100) }] }));
  validated(codec, box);
  codec.read(box.memory, box.offset, box.inlineLength);
  codec.write(create(SearchReplySchema), box.memory, 0, 64, { add: () => -1 });
  return box.memory.buffer;
}

describe("codec", () => {
  for (const desc of types) {
    it(`carries random ${desc.typeName} messages as protobuf-es does`, () => {
      forRandom(desc, 80, (message) => {
        const wanted = expected(desc, message);
        assert.deepStrictEqual(carried(desc, message, 8), wanted);
        assert.deepStrictEqual(carried(desc, message, 0), wanted);
      });
    });

    it(`shows ${desc.typeName} messages in lazy views`, () => {
      forRandom(desc, 60, (message) => {
        const codec = codecFor(desc);
        const { memory, offset, inlineLength } = boxed(codec, message);
        const view = codec.view(memory, offset, inlineLength);
        const wanted = materialized(desc, expected(desc, message));
        assert.deepStrictEqual(materialized(desc, view), wanted);
        // Twice: what a view keeps is what it has shown.
        assert.deepStrictEqual(materialized(desc, view), wanted);
      });
    });
  }

  it("reads messages that protobuf-es can work with", () => {
    const message = create(Kitchen3Schema, {
      fInt32: 5,
      oString: "",
      rString: ["a", "b"],
      mStringString: { x: "y" },
      choice: { case: "cString", value: "picked" },
      wStruct: { a: [1, { b: null }] },
      wTimestamp: create(TimestampSchema, { seconds: 5n, nanos: 6 }),
    });
    const read = carried(Kitchen3Schema, message) as Kitchen3;
    assert.ok(equals(Kitchen3Schema, read, message));
    assert.ok(isFieldSet(read, Kitchen3Schema.field.oString));
    assert.ok(!isFieldSet(read, Kitchen3Schema.field.oBytes));
    assert.deepEqual(toJson(Kitchen3Schema, read), toJson(Kitchen3Schema, message));
  });

  it("keeps extensions", () => {
    const message = create(Kitchen2Schema, { fString: "x" });
    setExtension(message, ext_string, "extended");
    setExtension(message, ext_numbers, [1, 2, 3]);
    const read = carried(Kitchen2Schema, message) as typeof message;
    assert.equal(getExtension(read, ext_string), "extended");
    assert.deepEqual(getExtension(read, ext_numbers), [1, 2, 3]);
  });

  it("keeps a closed enum's unknown value beside other unknown fields", () => {
    const message = create(KitchenESchema, { closed: 77 as ClosedE });
    message.$unknown = [{ no: 9999, wireType: 0, data: new Uint8Array([1]) }];
    const read = carried(KitchenESchema, message) as typeof message;
    assert.ok(!isFieldSet(read, KitchenESchema.field.closed));
    assert.equal(read.closed, ClosedE.ONE);
    assert.deepEqual(read.$unknown, [
      { no: 10, wireType: 0, data: new Uint8Array([77]) },
      { no: 9999, wireType: 0, data: new Uint8Array([1]) },
    ]);
  });

  it("gives views that can be written again", () => {
    const codec = codecFor(SearchReplySchema);
    forRandom(SearchReplySchema, 50, (message) => {
      const { memory, offset, inlineLength } = boxed(codec, message);
      const view = codec.view(memory, offset, inlineLength);
      const again = boxed(codec, view);
      assert.equal(validated(codec, again), 0);
      const read = codec.read(again.memory, again.offset, again.inlineLength);
      assert.deepStrictEqual(read, expected(SearchReplySchema, message));
    });
  });

  it("gives views of bytes that are not copies", () => {
    const codec = codecFor(FlatSchema);
    const message = create(FlatSchema, { token: new Uint8Array(5000).fill(7) });
    for (const segments of [0, 1]) {
      const { memory, offset, inlineLength } = boxed(codec, message, segments);
      const view = codec.view(memory, offset, inlineLength) as typeof message;
      assert.equal(view.token.buffer, memory.buffer);
      assert.deepEqual(view.token, message.token);
    }
  });

  it("writes the same bytes for the same message, whatever lay in the block", () => {
    for (const desc of types) {
      const codec = codecFor(desc);
      forRandom(desc, 30, (message) => {
        const { inlineLength } = boxed(codec, message, 0);
        const [zeros, garbage] = [0, 0xa5].map((before) => {
          const memory = openMemory(new ArrayBuffer(inlineLength + 64));
          memory.u8.fill(before);
          const sink = { add: (): number => -1 };
          assert.equal(codec.write(message, memory, 8, inlineLength + 64, sink), inlineLength);
          return memory.u8.subarray(8, 8 + inlineLength);
        });
        assert.deepEqual(garbage, zeros);
      });
    }
  });

  it("keeps no memory alive after a call", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const memory = new WeakRef(used());
    const deadline = Date.now() + 5_000;
    while (memory.deref() !== undefined && Date.now() < deadline) {
      await new Promise((resolve) => setImmediate(resolve));
      collect();
    }
    assert.equal(memory.deref(), undefined);
  });

  it("shares codecs between equal types and tells different ones apart", () => {
    assert.equal(codecFor(FlatSchema), codecFor(FlatSchema));
    const hashes = new Set(types.map((type) => codecFor(type).hash));
    assert.equal(hashes.size, types.length);
  });

  it("never writes beyond the limit", () => {
    forRandom(Kitchen3Schema, 25, (message) => {
      const codec = codecFor(Kitchen3Schema);
      const { inlineLength, memory, offset } = boxed(codec, message, 0);
      const whole = memory.u8.slice(0, offset + inlineLength);
      for (let limit = 8; limit < inlineLength; limit += 8 * (1 + (limit >> 6))) {
        memory.u8.fill(0x5a);
        const result = codec.write(message, memory, offset, offset + limit, { add: () => -1 });
        assert.ok(result < 0 && -result > limit, `${result} for a block of ${limit}`);
        const behind = memory.u8.subarray(offset + limit);
        assert.ok(behind.every((byte) => byte === 0x5a));
      }
      assert.ok(whole.length > 0);
    });
  });
});
