import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import { openMemory } from "@koala/shm";
import * as fc from "fast-check";
import { codecFor } from "./codec.ts";
import * as v1 from "./gen/evolve/v1/evolve_pb.ts";
import * as v2 from "./gen/evolve/v2/evolve_pb.ts";
import { Kitchen3Schema } from "./gen/test/v1/kitchen_proto3_pb.ts";
import { type Boxed, boxed, diceOf, randomMessage, validated } from "./message-box-helper.test.ts";
import { transcoderFor } from "./transcoder.ts";

/** Translates into a block that is too small at first; `null` when the message has no translation. */
function translated(from: DescMessage, to: DescMessage, message: Message): Message | null {
  const [source, target] = [codecFor(from), codecFor(to)];
  const transcoder = transcoderFor(source, target);
  assert.ok(transcoder !== null);
  const box = boxed(source, message);
  const offset = 16;
  let size = 32;
  for (let tries = 0; tries < 40; tries++) {
    const memory = openMemory(new ArrayBuffer(offset + size + 64));
    memory.u8.fill(0xa5);
    const { memory: origin, offset: at, inlineLength } = box;
    const length = transcoder.transcode(origin, at, inlineLength, memory, offset, offset + size);
    assert.ok(memory.u8.subarray(offset + size).every((byte) => byte === 0xa5));
    if (length === 0) return null;
    if (length > 0) return readBack(to, box, memory.u8.slice(0, offset + length), offset);
    assert.ok(-length > size, `asks for ${-length} after ${size}`);
    size = -length;
  }
  throw new Error("no block is large enough");
}

function readBack(to: DescMessage, box: Boxed, body: Uint8Array, offset: number): Message {
  const codec = codecFor(to);
  const segments = box.memory.u8.subarray(box.offset + box.inlineLength);
  const memory = openMemory(new ArrayBuffer(body.length + segments.length));
  memory.u8.set(body);
  memory.u8.set(segments, body.length);
  const inlineLength = body.length - offset;
  const { segmentLengths, segmentCount } = box;
  assert.equal(validated(codec, { memory, offset, inlineLength, segmentLengths, segmentCount }), 0);
  return codec.read(memory, offset, inlineLength) as Message;
}

/** What protobuf would make of it, without the fields that the target does not know. */
function expected(from: DescMessage, to: DescMessage, message: Message): Message {
  return fromBinary(to, toBinary(from, message), { readUnknownFields: false });
}

/** Removes unknown fields: closed enums leave values there that `expected` drops. */
function known(value: unknown): unknown {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if ("$unknown" in value) delete value.$unknown;
  for (const item of Object.values(value)) known(item);
  return value;
}

describe("transcoder", () => {
  it("is not needed between equal layouts", () => {
    assert.equal(transcoderFor(codecFor(Kitchen3Schema), codecFor(Kitchen3Schema)), null);
  });

  it("follows protobuf's evolution rules for random messages", () => {
    const property = fc.property(fc.integer(), fc.integer({ min: 1, max: 9 }), (seed, richness) => {
      const message = randomMessage(v1.EverythingSchema, diceOf(seed), 2, richness);
      tame(message as v1.Everything);
      const wanted = expected(v1.EverythingSchema, v2.EverythingSchema, message);
      const got = translated(v1.EverythingSchema, v2.EverythingSchema, message);
      assert.deepStrictEqual(known(got), known(wanted));
    });
    void fc.assert(property, { numRuns: 300 });
  });

  it("goes back from the newer version to the older", () => {
    const property = fc.property(fc.integer(), fc.integer({ min: 1, max: 9 }), (seed, richness) => {
      const message = randomMessage(v2.EverythingSchema, diceOf(seed), 2, richness);
      tameNewer(message as v2.Everything);
      const wanted = expected(v2.EverythingSchema, v1.EverythingSchema, message);
      const got = translated(v2.EverythingSchema, v1.EverythingSchema, message);
      assert.deepStrictEqual(known(got), known(wanted));
    });
    void fc.assert(property, { numRuns: 300 });
  });

  const rules: [string, Partial<v1.Everything>, Partial<v2.Everything>][] = [
    ["sign-extends int32 to int64", { i32ToI64: -5 }, { i32ToI64: -5n }],
    ["truncates int64 to int32", { i64ToI32: 2n ** 32n + 7n }, { i64ToI32: 7 }],
    ["does not sign-extend uint32", { u32ToI64: 4294967295 }, { u32ToI64: 4294967295n }],
    ["takes any set bit of an int64 for true", { i64ToBool: 2n ** 40n }, { i64ToBool: true }],
    [
      "makes numbers of bools",
      { boolToI32: true, boolToU64: true },
      { boolToI32: 1, boolToU64: 1n },
    ],
    ["reinterprets int32 as uint32", { i32ToU32: -1 }, { i32ToU32: 4294967295 }],
    ["passes new values to open enums", { i32ToEnum: 42 }, { i32ToEnum: 42 as v2.Open }],
    [
      "makes bytes of strings",
      { stringToBytes: "é" },
      { stringToBytes: Uint8Array.of(0xc3, 0xa9) },
    ],
    [
      "makes strings of bytes",
      { bytesToString: Uint8Array.of(0xc3, 0xa9) },
      { bytesToString: "é" },
    ],
    ["makes lists of single values", { singleToList: 3 }, { singleToList: [3] }],
    ["takes the last of a list", { listToSingle: [1, 2, 3] }, { listToSingle: 3 }],
    [
      "lets the last of two fields win in a oneof",
      both(),
      { new: { case: "intoOneofB", value: "b" } },
    ],
    ["takes fields out of a oneof", old(), { outOfOneof: "out" }],
    ["drops fields that are gone", { dropped: "x", keptBytes: Uint8Array.of(1) }, kept()],
  ];
  for (const [name, before, after] of rules) {
    it(name, () => {
      const message = create(v1.EverythingSchema, before as object);
      const wanted = create(v2.EverythingSchema, after as object);
      const got = translated(v1.EverythingSchema, v2.EverythingSchema, message);
      assert.deepStrictEqual(got, wanted);
    });
  }

  it("keeps segments in their places when bytes before them are dropped", () => {
    const message = create(v1.EverythingSchema, {
      droppedBytes: new Uint8Array(5000).fill(1),
      keptBytes: new Uint8Array(6000).fill(2),
    });
    const got = translated(v1.EverythingSchema, v2.EverythingSchema, message) as v2.Everything;
    assert.deepEqual(got.keptBytes, message.keptBytes);
  });

  it("makes strings of bytes in segments", () => {
    const text = "ü".repeat(5000);
    const message = create(v1.EverythingSchema, { bytesToString: Buffer.from(text) });
    const got = translated(v1.EverythingSchema, v2.EverythingSchema, message) as v2.Everything;
    assert.equal(got.bytesToString, text);
  });

  it("says that bytes are no string", () => {
    const message = create(v1.EverythingSchema, { bytesToString: Uint8Array.of(0xff) });
    assert.equal(translated(v1.EverythingSchema, v2.EverythingSchema, message), null);
  });

  it("keeps a value that a closed enum does not have among the unknown fields", () => {
    const message = create(v1.EverythingSchema, { keptLevel: v1.Level.HIGH });
    const got = translated(v1.EverythingSchema, v2.EverythingSchema, message) as v2.Everything;
    assert.equal(got.keptLevel, v2.Level.LOW);
    assert.deepEqual(got.$unknown, [{ no: 41, wireType: 0, data: Uint8Array.of(2) }]);
  });

  it("drops unknown fields that the target knows, and keeps the others", () => {
    const message = create(v1.EverythingSchema, {});
    message.$unknown = [
      { no: 42, wireType: 2, data: Uint8Array.of(1, 65) },
      { no: 500, wireType: 0, data: Uint8Array.of(1) },
    ];
    const got = translated(v1.EverythingSchema, v2.EverythingSchema, message) as v2.Everything;
    assert.deepEqual(got.$unknown, [{ no: 500, wireType: 0, data: Uint8Array.of(1) }]);
  });

  it("stays inside of its block when the source changes under it", () => {
    const [source, target] = [codecFor(v1.EverythingSchema), codecFor(v2.EverythingSchema)];
    const transcoder = transcoderFor(source, target)!;
    const seed = Number(process.env["FUZZ_SEED"] ?? 20251);
    const dice = diceOf(seed);
    const memory = openMemory(new ArrayBuffer(8192));
    for (let round = 0; round < 300; round++) {
      const box = boxed(source, randomMessage(v1.EverythingSchema, dice, 2, 4), 0);
      for (let i = 0; i < 8; i++) {
        const at = (box.offset + dice(box.inlineLength - 4)) >> 2;
        box.memory.i32[at] = [-1, 0, 8, 0x7fffffff, -0x80000000, dice(4096)][dice(5)]!;
      }
      memory.u8.fill(0x5a);
      const result = transcoder.transcode(
        box.memory,
        box.offset,
        box.inlineLength,
        memory,
        1024,
        4096,
      );
      assert.ok(Number.isInteger(result), `FUZZ_SEED=${seed} round ${round}`);
      const isClean = (from: number, to: number): boolean =>
        memory.u8.subarray(from, to).every((byte) => byte === 0x5a);
      assert.ok(isClean(0, 1024) && isClean(4096, 8192), `FUZZ_SEED=${seed} round ${round}`);
    }
  });
});

function both(): Partial<v1.Everything> {
  return { intoOneofA: 1, intoOneofB: "b" };
}

function old(): Partial<v1.Everything> {
  return { old: { case: "outOfOneof", value: "out" } };
}

function kept(): Partial<v2.Everything> {
  return { keptBytes: Uint8Array.of(1) };
}

/** Takes out what protobuf does differently on purpose: bytes that are no text, merged messages. */
function tame(message: v1.Everything): void {
  if (Object.hasOwn(message, "bytesToString")) message.bytesToString = Buffer.from("text ü");
  message.listBytesToString = message.listBytesToString.map((_, i) => Buffer.from(`é${i}`));
  message.leavesToSingle = message.leavesToSingle.slice(0, 1);
  // A value that the source's closed enum does not have is among its unknown fields.
  if (Object.hasOwn(message, "enumToI32")) message.enumToI32 = v1.Level.HIGH;
  if (message.recursive !== undefined) tame(message.recursive);
}

/** The same for the other direction; and protobuf-es can't read a packed list as a single number. */
function tameNewer(message: v2.Everything): void {
  message.leafToList = message.leafToList.slice(0, 1);
  message.singleToList = [];
  if (Object.hasOwn(message, "keptLevel")) message.keptLevel = v2.Level.LOW;
  if (Object.hasOwn(message, "stringToBytes")) message.stringToBytes = Buffer.from("text ü");
  if (message.recursive !== undefined) tameNewer(message.recursive);
}
