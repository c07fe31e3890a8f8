/**
 * The protobuf codec against protobuf-es and protobufjs. A round takes a random type of the tests and
 *
 * 1. makes a random message. What protobuf-es encodes is decoded, validated and read: it has to be what
 *    protobuf-es decodes. What is written is encoded: protobuf-es and protobufjs have to decode the message;
 * 2. has protobufjs encode it as well, and decodes that;
 * 3. makes random bytes that are a message, in forms that no encoder would choose: it has to be what protobuf-es
 *    decodes, or what is said of it has to be true (no UTF-8, a required field missing);
 * 4. damages the bytes of 1 and 3: nothing is thrown, and what is accepted is valid, and the same for protobuf-es.
 *
 * What is accepted is encoded and decoded again, which has to give the same bytes in memory.
 */
import assert from "node:assert/strict";
import { type DescFile, type DescMessage, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { fuzzMain, type Prng } from "@koala/testing";
import protobufjs from "protobufjs";
import "protobufjs/ext/descriptor.js";
import { codecFor } from "./codec.ts";
import { FlatSchema } from "./gen/bench/v1/flat_pb.ts";
import { EverythingSchema } from "./gen/evolve/v1/evolve_pb.ts";
import { SearchReplySchema } from "./gen/hotel/v1/hotel_pb.ts";
import { ImplicitESchema, KitchenESchema } from "./gen/test/v1/kitchen_editions_pb.ts";
import { Kitchen2Schema, Required2Schema } from "./gen/test/v1/kitchen_proto2_pb.ts";
import { EmptySchema, Kitchen3Schema, NamesSchema } from "./gen/test/v1/kitchen_proto3_pb.ts";
import { protobufCodecOf } from "./generated-protobuf-codec.ts";
import { type Boxed, boxed, randomMessage, validated } from "./message-box-helper.test.ts";
import { ProtobufCode } from "./protobuf-reasons.ts";
import { odditiesIn, randomWire } from "./wire-helper.test.ts";

const types: readonly DescMessage[] = [
  FlatSchema,
  SearchReplySchema,
  EverythingSchema,
  Kitchen3Schema,
  Kitchen2Schema,
  Required2Schema,
  KitchenESchema,
  ImplicitESchema,
  NamesSchema,
  EmptySchema,
];

const other = protobufjs.Root.fromDescriptor(descriptorSetOf(types));

/** The files of the types and all they import, imports first. */
function descriptorSetOf(roots: readonly DescMessage[]): Uint8Array {
  const files = new Set<DescFile>();
  const add = (file: DescFile): void => {
    for (const imported of file.dependencies) add(imported);
    files.add(file);
  };
  for (const { file } of roots) add(file);
  const file = [...files].map(({ proto }) => proto);
  const set = { $typeName: "google.protobuf.FileDescriptorSet" as const, file };
  return toBinary(FileDescriptorSetSchema, set);
}

/** What protobufjs makes of bytes, in a form that can be compared. */
function otherReading(desc: DescMessage, bytes: Uint8Array): unknown {
  const type = other.lookupType(desc.typeName);
  return type.toObject(type.decode(bytes), { longs: String, bytes: String });
}

/** Decodes into blocks that are too small at first, as a client does. `null` when it is not a message. */
function decoded(desc: DescMessage, bytes: Uint8Array, segmentsMax: number): Boxed | null {
  const protobuf = protobufCodecOf(codecFor(desc));
  const write = (...rest: Parameters<typeof protobuf.write>): number => {
    const [source, memory, offset, limit, segments] = rest;
    return protobuf.decode(source, 0, source.length, memory, offset, limit, segments);
  };
  const box = boxed({ ...protobuf, write }, bytes, segmentsMax);
  return box.inlineLength === 0 ? null : box;
}

function readBack(desc: DescMessage, box: Boxed): unknown {
  const codec = codecFor(desc);
  assert.equal(validated(codec, box), 0, "what was decoded is valid");
  return codec.read(box.memory, box.offset, box.inlineLength);
}

/** A message that others have encoded is the one that they decode. */
function checkDecode(desc: DescMessage, bytes: Uint8Array, segmentsMax: number): void {
  const box = decoded(desc, bytes, segmentsMax);
  assert.ok(box !== null, "what protobuf encodes is decoded");
  assert.deepStrictEqual(readBack(desc, box), fromBinary(desc, bytes));
}

/** A message that was written and encoded is the one that others decode. */
function checkEncode(
  desc: DescMessage,
  message: unknown,
  bytes: Uint8Array,
  segmentsMax: number,
): void {
  const codec = codecFor(desc);
  const protobuf = protobufCodecOf(codec);
  const { memory, offset, inlineLength } = boxed(codec, message, segmentsMax);
  const encoded = protobuf.read(memory, offset, inlineLength);
  assert.equal(protobuf.size(memory, offset, inlineLength), encoded.length);
  assert.deepStrictEqual(fromBinary(desc, new Uint8Array(encoded)), fromBinary(desc, bytes));
  assert.deepStrictEqual(otherReading(desc, encoded), otherReading(desc, bytes));
}

/** Bytes from anywhere. Returns whether they were a message. */
function checkBytes(desc: DescMessage, bytes: Uint8Array): boolean {
  const protobuf = protobufCodecOf(codecFor(desc));
  const box = decoded(desc, bytes, 8);
  if (box === null) {
    assert.ok(protobuf.problemAt >= 0 && protobuf.problemAt <= bytes.length);
    return false;
  }
  const message = readBack(desc, box);
  const expected = expectedFrom(desc, bytes);
  if (expected !== undefined) {
    assert.deepStrictEqual(withoutUnknownEnums(message), withoutUnknownEnums(expected));
  }
  const encoded = protobuf.read(box.memory, box.offset, box.inlineLength);
  const again = decoded(desc, encoded, 8);
  assert.ok(again !== null);
  assert.deepEqual(bodyOf(again), bodyOf(box));
  return true;
}

/** What protobuf-es decodes; undefined where we differ on purpose (`Oddities` says how). */
function expectedFrom(desc: DescMessage, bytes: Uint8Array): unknown {
  const { foreign, replaced } = odditiesIn(desc, bytes);
  if (foreign) return undefined;
  try {
    return fromBinary(desc, bytes);
  } catch (error) {
    if (replaced) return undefined;
    throw error;
  }
}

/** The fields of closed enums, by which their unknown values are told from other unknown fields. */
const closedEnums = new Map(
  types
    .flatMap(({ file }) => file.messages)
    .map(({ typeName, fields }) => [
      typeName,
      new Set(fields.filter((field) => field.enum?.open === false).map(({ number }) => number)),
    ]),
);

/**
 * A message without the values that a closed enum does not have: another deliberate difference. They are kept as
 * they came; protobuf-es encodes them again from 32 bits, and forgets them when an unknown field follows.
 */
function withoutUnknownEnums(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  const fields = value as Record<string, unknown>;
  const enums = closedEnums.get(String(fields["$typeName"]));
  const unknown = fields["$unknown"] as { no: number }[] | undefined;
  if (enums !== undefined && unknown !== undefined) {
    const others = unknown.filter(({ no }) => !enums.has(no));
    if (others.length === 0) delete fields["$unknown"];
    else fields["$unknown"] = others;
  }
  for (const item of Object.values(fields)) withoutUnknownEnums(item);
  return value;
}

function bodyOf({ memory, offset }: Boxed): Uint8Array {
  return memory.u8.subarray(offset);
}

function checkWellFormed(desc: DescMessage, bytes: Uint8Array): void {
  if (checkBytes(desc, bytes)) return;
  const { problem } = protobufCodecOf(codecFor(desc));
  assert.equal(problem, ProtobufCode.REQUIRED, `a well-formed message was refused: ${problem}`);
  // What is missing may have been in a value that is replaced: it does not show in the message then.
  if (odditiesIn(desc, bytes).replaced) return;
  assert.throws(() => toBinary(desc, fromBinary(desc, bytes)), /required/);
}

function damaged(bytes: Uint8Array, prng: Prng): Uint8Array {
  const copy = Array.from(bytes);
  for (let i = prng.between(1, 3); i > 0; i--) {
    const at = prng.below(copy.length + 1);
    const kind = prng.below(5);
    if (kind === 0) copy[at] = prng.below(256);
    else if (kind === 1) copy[at] = (copy[at] ?? 0) ^ (1 << prng.below(8));
    else if (kind === 2) copy.splice(at, prng.between(1, 4));
    else if (kind === 3) copy.splice(at, 0, prng.below(256));
    else if (copy.length < 20_000) copy.splice(at, 0, ...copy.slice(prng.below(copy.length + 1)));
  }
  return Uint8Array.from(copy.slice(0, 20_000));
}

/** One round. */
export function protobufRound(prng: Prng): void {
  const desc = prng.pick(types);
  const dice = (max: number): number => prng.below(max + 1);
  const segmentsMax = prng.pick([0, 1, 8]);
  const message = randomMessage(desc, dice, 3, prng.between(1, 9));
  const bytes = toBinary(desc, message);
  checkDecode(desc, bytes, segmentsMax);
  checkEncode(desc, message, bytes, segmentsMax);
  const type = other.lookupType(desc.typeName);
  checkDecode(desc, new Uint8Array(type.encode(type.decode(bytes)).finish()), segmentsMax);
  const wire = Uint8Array.from(randomWire(desc, dice));
  checkWellFormed(desc, wire);
  for (let i = 0; i < 20; i++) {
    const victim = i % 2 === 0 ? bytes : wire;
    if (victim.length < 20_000) checkBytes(desc, damaged(victim, prng));
  }
}

await fuzzMain(import.meta.url, "protobuf", protobufRound);
