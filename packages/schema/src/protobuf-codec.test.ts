import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { KoalaError } from "@koala/interface";
import { openMemory } from "@koala/shm";
import { codecFor } from "./codec.ts";
import { field, messageOf, T } from "./descriptor-helper.test.ts";
import { FlatSchema } from "./gen/bench/v1/flat_pb.ts";
import { SearchReplySchema } from "./gen/hotel/v1/hotel_pb.ts";
import { type KitchenE, KitchenESchema } from "./gen/test/v1/kitchen_editions_pb.ts";
import { type Kitchen2, Kitchen2Schema, Required2Schema } from "./gen/test/v1/kitchen_proto2_pb.ts";
import { type Kitchen3, Kitchen3Schema } from "./gen/test/v1/kitchen_proto3_pb.ts";
import { protobufCodecOf } from "./generated-protobuf-codec.ts";
import { messageDepthMax } from "./limits.ts";
import { boxed, ListSink, validated } from "./message-box-helper.test.ts";
import { ProtobufCode, protobufReasons } from "./protobuf-reasons.ts";
import { delimited, record, varint } from "./wire-helper.test.ts";

const noSegments = { add: (): number => -1 };

/** Decodes, validates and reads. */
function decoded<T extends Message>(desc: DescMessage, bytes: readonly number[]): T {
  const codec = codecFor(desc);
  const box = boxed(protobufCodecOf(codec), Uint8Array.from(bytes));
  assert.equal(validated(codec, box), 0);
  return codec.read(box.memory, box.offset, box.inlineLength) as T;
}

/** Why bytes are refused, and where. */
function problemOf(desc: DescMessage, bytes: readonly number[]): [number, number] {
  const protobuf = protobufCodecOf(codecFor(desc));
  const memory = openMemory(new ArrayBuffer(1 << 16));
  const source = Uint8Array.from(bytes);
  assert.equal(protobuf.decode(source, 0, source.length, memory, 0, 1 << 16, noSegments), 0);
  return [protobuf.problem, protobuf.problemAt];
}

const text = (value: string): number[] => [...Buffer.from(value)];

describe("ProtobufCodec", () => {
  it("is the same for the same codec, and is its own", () => {
    const protobuf = protobufCodecOf(codecFor(FlatSchema));
    assert.equal(protobufCodecOf(codecFor(FlatSchema)), protobuf);
    assert.equal(protobufCodecOf(protobuf), protobuf);
    assert.equal(protobuf.hash, codecFor(FlatSchema).hash);
  });

  it("is another one for a type that is encoded otherwise, though it has the same layout", () => {
    const numbers = (packed: boolean): DescMessage => {
      const list = field("list", 1, T.int32, { label: 3, options: { packed } });
      return messageOf({ messageType: [{ name: "Numbers", field: [list] }] }, "Numbers");
    };
    const encoded = [true, false].map((packed) => {
      const desc = numbers(packed);
      const codec = codecFor(desc);
      const box = boxed(codec, fromBinary(desc, Uint8Array.of(10, 2, 5, 6)));
      return [...protobufCodecOf(codec).read(box.memory, box.offset, box.inlineLength)];
    });
    assert.deepEqual(encoded, [
      [10, 2, 5, 6],
      [8, 5, 8, 6],
    ]);
    assert.equal(codecFor(numbers(true)).hash, codecFor(numbers(false)).hash);
  });

  it("keeps neither bytes nor memory alive after a call", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const used = (): WeakRef<object>[] => {
      const protobuf = protobufCodecOf(codecFor(SearchReplySchema));
      const reply = create(SearchReplySchema, { hotels: [{ name: "x".repeat(5000) }] });
      const source = toBinary(SearchReplySchema, reply);
      const memory = openMemory(new ArrayBuffer(1 << 14));
      const length = protobuf.decode(source, 0, source.length, memory, 0, 1 << 14, noSegments);
      protobuf.read(memory, 0, length);
      return [new WeakRef(source.buffer), new WeakRef(memory.buffer)];
    };
    const references = used();
    const isAlive = (): boolean => references.some((one) => one.deref() !== undefined);
    const deadline = Date.now() + 5_000;
    while (isAlive() && Date.now() < deadline) {
      await new Promise((resolve) => setImmediate(resolve));
      collect();
    }
    assert.ok(!isAlive());
  });

  it("takes the last one of a singular field, and merges parts of a message", () => {
    const part = (value: readonly number[]): number[] => delimited(17, value);
    const message = decoded<Kitchen3>(Kitchen3Schema, [
      ...record(3, 0, [5]),
      ...delimited(14, text("first")),
      ...part([...record(3, 0, [1]), ...delimited(54, text("a")), ...part(record(5, 0, [7]))]),
      ...record(3, 0, [6]),
      ...part([...record(4, 0, [2]), ...delimited(54, text("b")), ...part(record(6, 0, [8]))]),
      ...delimited(14, text("last")),
    ]);
    assert.equal(message.fInt32, 6);
    assert.equal(message.fString, "last");
    assert.equal(message.fMessage?.fInt32, 1);
    assert.equal(message.fMessage?.fInt64, 2n);
    assert.deepEqual(message.fMessage?.rString, ["a", "b"]);
    assert.equal(message.fMessage?.fMessage?.fUint32, 7);
    assert.equal(message.fMessage?.fMessage?.fUint64, 8n);
  });

  it("takes lists packed, one by one, and both in turns", () => {
    const packed = [14, 15].flatMap((number) => [
      ...delimited(number, [1, 2]),
      ...record(number, 0, [3]),
      ...record(3, 0, [0]),
      ...delimited(number, []),
      ...delimited(number, varint(-4n)),
    ]);
    const message = decoded<KitchenE>(KitchenESchema, packed);
    assert.deepEqual(message.packed, [1, 2, 3, -4]);
    assert.deepEqual(message.expanded, [1, 2, 3, -4]);
  });

  it("gives entries what they lack", () => {
    const kitchen = decoded<Kitchen2>(Kitchen2Schema, [
      ...delimited(41, delimited(1, text("key"))),
      ...delimited(42, record(1, 0, [3])),
      ...delimited(42, [...delimited(2, record(3, 0, [9])), ...record(1, 0, [4])]),
      ...delimited(42, []),
    ]);
    assert.deepEqual(kitchen.mEnum, { key: 1 });
    assert.deepEqual(Object.keys(kitchen.mMessage), ["0", "3", "4"]);
    assert.equal(kitchen.mMessage[4]?.fInt32, 9);
  });

  it("takes the last member of a oneof", () => {
    const string = delimited(52, text("x"));
    const bool = record(54, 0, [1]);
    const group = [...record(53, 3, delimited(1, text("c"))), ...record(53, 4, [])];
    const choice = (...parts: number[][]): Kitchen2["choice"] =>
      decoded<Kitchen2>(Kitchen2Schema, parts.flat()).choice;
    assert.deepEqual(choice(string, bool), { case: "cBool", value: true });
    assert.deepEqual(choice(bool, string).value, Uint8Array.from(text("x")));
    const last = choice(bool, group, string, group);
    assert.ok(last.case === "cgroup" && last.value.c === "c");
    // A value that a closed enum does not have is no member.
    assert.equal(choice(bool, record(51, 0, [77])).case, "cBool");
  });

  it("keeps what is unknown: numbers, wire types and values of closed enums", () => {
    const unknown = [
      ...record(9999, 5, [1, 2, 3, 4]),
      ...record(3, 2, [1, 0]),
      ...record(16, 0, [77]),
      ...record(700, 3, record(1, 0, [5])),
      ...record(700, 4, []),
    ];
    const message = decoded<Kitchen2>(Kitchen2Schema, unknown);
    assert.deepEqual(
      message.$unknown?.map(({ no, wireType }) => [no, wireType]),
      [
        [9999, 5],
        [3, 2],
        [16, 0],
        [700, 3],
      ],
    );
    const codec = codecFor(Kitchen2Schema);
    const { memory, offset, inlineLength } = boxed(codec, message);
    assert.deepEqual([...protobufCodecOf(codec).read(memory, offset, inlineLength)], unknown);
  });

  it("puts replacement characters only where a schema does not ask for UTF-8", () => {
    const broken = [0x61, 0xff, 0x62];
    assert.equal(decoded<Kitchen2>(Kitchen2Schema, delimited(14, broken)).fString, "a\ufffdb");
    assert.deepEqual(problemOf(Kitchen3Schema, delimited(14, broken)), [ProtobufCode.TEXT, 2]);
    const long = [...new Array<number>(9000).fill(0x61), 0xff];
    assert.deepEqual(problemOf(Kitchen3Schema, delimited(14, long)), [ProtobufCode.TEXT, 3]);
    const repaired = decoded<Kitchen2>(Kitchen2Schema, delimited(14, long));
    assert.equal(repaired.fString, `${"a".repeat(9000)}\ufffd`);
  });

  it("says what is wrong, and where", () => {
    const cases: [DescMessage, number[], number, number][] = [
      [FlatSchema, [8, ...new Array<number>(10).fill(0xff), 1], ProtobufCode.VARINT, 1],
      [FlatSchema, [8], ProtobufCode.TRUNCATED, 1],
      [FlatSchema, [8, 0x80], ProtobufCode.TRUNCATED, 1],
      [Kitchen3Schema, [...record(9, 5, [1, 2, 3])], ProtobufCode.TRUNCATED, 1],
      [SearchReplySchema, [10, 3, 10, 2, 65], ProtobufCode.LENGTH, 3],
      [SearchReplySchema, [10, 255, 255, 255, 255, 15], ProtobufCode.LENGTH, 1],
      [SearchReplySchema, [10, 255, 255, 255, 255, 31], ProtobufCode.LENGTH, 1],
      [SearchReplySchema, [10, 128, 128, 128, 128, 128, 0], ProtobufCode.LENGTH, 1],
      [FlatSchema, [0xff, 0xff, 0xff, 0xff, 0x1f, 0], ProtobufCode.TAG, 0],
      [FlatSchema, [8, 1, 0], ProtobufCode.FIELD_ZERO, 2],
      [FlatSchema, [8, 1, 2, 0], ProtobufCode.FIELD_ZERO, 2],
      [FlatSchema, [0xfe, 0xff, 3], ProtobufCode.WIRE_TYPE, 0],
      [FlatSchema, [12], ProtobufCode.END_GROUP, 0],
      [FlatSchema, [...record(99, 3, []), ...record(98, 4, [])], ProtobufCode.END_GROUP, 2],
      [FlatSchema, record(99, 3, []), ProtobufCode.TRUNCATED, 2],
      [Kitchen3Schema, delimited(41, [1, 2, 3]), ProtobufCode.PACKED, 3],
      [Required2Schema, record(1, 0, [1]), ProtobufCode.REQUIRED, 2],
    ];
    for (const [desc, bytes, problem, at] of cases) {
      assert.deepEqual(problemOf(desc, bytes), [problem, at], `${bytes}`);
      assert.ok(protobufReasons[problem] !== undefined);
    }
  });

  it("goes as deep as messages may be, and no deeper", () => {
    const nested = (levels: number): number[] => {
      let bytes: number[] = [];
      for (let i = 1; i < levels; i++) bytes = delimited(17, bytes);
      return bytes;
    };
    const groups = (levels: number): number[] => {
      let bytes: number[] = [];
      for (let i = 1; i < levels; i++) bytes = [...record(12, 3, bytes), ...record(12, 4, [])];
      return bytes;
    };
    const unknown = (levels: number): number[] => {
      let bytes: number[] = [];
      for (let i = 1; i < levels; i++) bytes = [...record(99, 3, bytes), ...record(99, 4, [])];
      return bytes;
    };
    const kinds: [DescMessage, (levels: number) => number[]][] = [
      [Kitchen3Schema, nested],
      [KitchenESchema, groups],
      [KitchenESchema, unknown],
      [FlatSchema, unknown],
    ];
    for (const [desc, bytes] of kinds) {
      const deepest = Uint8Array.from(bytes(messageDepthMax));
      assert.deepEqual(decoded(desc, [...deepest]), fromBinary(desc, deepest));
      assert.equal(problemOf(desc, bytes(messageDepthMax + 1))[0], ProtobufCode.DEPTH);
    }
  });

  it("throws what is wrong when it is used as a codec", () => {
    const protobuf = protobufCodecOf(codecFor(FlatSchema));
    const memory = openMemory(new ArrayBuffer(1024));
    const write = (bytes: unknown) => () =>
      protobuf.write(bytes as Uint8Array, memory, 0, 1024, noSegments);
    assert.throws(write(Uint8Array.of(8)), (error) => {
      assert.ok(error instanceof KoalaError && error.code === "ERR_SCHEMA_PROTOBUF");
      assert.match(error.message, /bench\.v1\.Flat: byte 1 of .*ends? in the middle of a field/);
      return true;
    });
    assert.throws(write("text"), { code: "ERR_SCHEMA_VALUE" });
  });

  it("gives large bytes to the sink as parts of its source", () => {
    const token = new Uint8Array(5000).fill(7);
    const source = toBinary(FlatSchema, create(FlatSchema, { id: 1, token }));
    const codec = codecFor(FlatSchema);
    const sink = new ListSink();
    const memory = openMemory(new ArrayBuffer(1024));
    const { decode } = protobufCodecOf(codec);
    assert.ok(decode(source, 0, source.length, memory, 0, 1024, sink) > 0);
    assert.equal(sink.segments[0]?.buffer, source.buffer);
    assert.deepEqual(sink.segments[0], token);
  });

  it("encodes into what it is given, behind a prefix, and never beyond", () => {
    const codec = codecFor(Kitchen3Schema);
    const protobuf = protobufCodecOf(codec);
    const message = create(Kitchen3Schema, { fString: "é".repeat(40), rInt32: [1, -1, 300] });
    const { memory, offset, inlineLength } = boxed(codec, message);
    const expected = toBinary(Kitchen3Schema, message);
    const target = new Uint8Array(expected.length + 10).fill(0xaa);
    assert.equal(protobuf.encode(memory, offset, inlineLength, target, 10), target.length);
    assert.deepEqual(target.subarray(10), expected);
    assert.equal(protobuf.encode(memory, offset, inlineLength, target, 11), -expected.length);
    assert.ok(target.subarray(0, 10).every((byte) => byte === 0xaa));
    const framed = protobuf.encodeBehind(memory, offset, inlineLength, 5);
    assert.deepEqual(new Uint8Array(framed.subarray(5)), expected);
  });

  it("decodes a part of its source, and writes nothing beyond the limit", () => {
    const { decode } = protobufCodecOf(codecFor(SearchReplySchema));
    const reply = create(SearchReplySchema, { hotels: [{ name: "x" }, { id: "é".repeat(99) }] });
    const source = Uint8Array.from([8, 8, ...toBinary(SearchReplySchema, reply), 8]);
    const memory = openMemory(new ArrayBuffer(4096));
    const whole = decode(source, 2, source.length - 1, memory, 0, 4096, noSegments);
    assert.deepEqual(codecFor(SearchReplySchema).read(memory, 0, whole), reply);
    for (let limit = 0; limit < whole; limit += 8) {
      memory.u8.fill(0x5a);
      const result = decode(source, 2, source.length - 1, memory, 64, 64 + limit, noSegments);
      assert.ok(result < 0 && -result > limit, `${result} for a block of ${limit}`);
      assert.ok(memory.u8.subarray(64 + limit).every((byte) => byte === 0x5a));
    }
  });
});
