/** What the tests of this folder share: a memory to write into, and random messages. */
import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { type Memory, openMemory } from "@koala/shm";
import { codecFor } from "./codec.ts";
import type { MessageCodec, SegmentSink } from "./message-codec.ts";
import { isWrapperType, setOwn } from "./well-known.ts";

/** A written message with its segments behind it, as a receiver sees it. */
export interface Boxed {
  readonly memory: Memory;
  readonly offset: number;
  readonly inlineLength: number;
  readonly segmentLengths: Int32Array;
  readonly segmentCount: number;
}

/** Keeps up to `max` segments. */
export class ListSink implements SegmentSink {
  readonly segments: Uint8Array[] = [];
  readonly max: number;
  constructor(max = 8) {
    this.max = max;
  }
  add(bytes: Uint8Array): number {
    if (this.segments.length >= this.max) return -1;
    return this.segments.push(bytes) - 1;
  }
}

/** Writes a message into fresh memory, starting with a block that is too small. */
export function boxed(codec: MessageCodec, message: unknown, segmentsMax = 8): Boxed {
  const offset = 64;
  let sink = new ListSink(segmentsMax);
  let block = openMemory(new ArrayBuffer(64 + 128));
  // Garbage in the block, as in one that was used before.
  block.u8.fill(0xa5);
  let length = codec.write(message, block, offset, 64 + 128, sink);
  for (let tries = 0; length < 0; tries++) {
    if (tries > 40) throw new Error(`no block is large enough, asked for ${-length}`);
    sink = new ListSink(segmentsMax);
    block = openMemory(new ArrayBuffer(offset - length));
    block.u8.fill(0xa5);
    length = codec.write(message, block, offset, offset - length, sink);
  }
  const lengths = new Int32Array(sink.segments.map((s) => s.length));
  const total = lengths.reduce((sum, n) => sum + ((n + 7) & ~7), 0);
  const memory = openMemory(new ArrayBuffer(offset + length + total));
  memory.u8.set(block.u8.subarray(0, offset + length));
  let at = offset + length;
  for (const segment of sink.segments) {
    memory.u8.set(segment, at);
    at += (segment.length + 7) & ~7;
  }
  return {
    memory,
    offset,
    inlineLength: length,
    segmentLengths: lengths,
    segmentCount: lengths.length,
  };
}

export function validated(codec: MessageCodec, box: Boxed): number {
  const { memory, offset, inlineLength, segmentLengths, segmentCount } = box;
  return codec.validate(memory, offset, inlineLength, segmentLengths, segmentCount);
}

/** Through the layout and back. */
export function carried(desc: DescMessage, message: Message, segmentsMax = 8): unknown {
  const codec = codecFor(desc);
  const box = boxed(codec, message, segmentsMax);
  const code = validated(codec, box);
  if (code !== 0) throw new Error(`the validator says ${code}`);
  return codec.read(box.memory, box.offset, box.inlineLength);
}

/** Where random messages get their randomness from: a number in 0…max. */
export type Dice = (max: number) => number;

/** mulberry32 */
export function diceOf(seed: number): Dice {
  let state = seed | 0;
  return (max) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % (max + 1);
  };
}

/** A random message of a type. About `richness` of 10 fields are set. */
export function randomMessage(desc: DescMessage, dice: Dice, depth = 3, richness = 3): Message {
  const message = create(desc) as Message & Record<string, unknown>;
  for (const field of desc.fields) {
    const isRequired = field.presence === 3;
    if (!isRequired && dice(9) >= richness) continue;
    if (field.message !== undefined && depth === 0 && !isRequired) continue;
    const value = randomField(field, dice, depth, richness);
    if (field.oneof !== undefined) {
      message[field.oneof.localName] = { case: field.localName, value };
    } else {
      setOwn(message, field.localName, value);
    }
  }
  // protobuf-es drops unknown values of closed enums when there are other unknown fields: not both.
  const hasClosed = desc.fields.some((field) => field.enum?.open === false);
  if (dice(20) === 0 && !hasClosed) {
    message.$unknown = [
      { no: 19000 + dice(500), wireType: 2, data: new Uint8Array([3, 1, 2, 3]) },
      { no: 19900, wireType: 0, data: new Uint8Array([0x80 + dice(100), 1]) },
    ];
  }
  return message;
}

function randomField(field: DescField, dice: Dice, depth: number, richness: number): unknown {
  if (field.fieldKind === "list") {
    const count = dice(9) === 0 ? 20 : dice(3);
    return Array.from({ length: count }, () => randomValue(field, dice, depth, richness, false));
  }
  if (field.fieldKind === "map") {
    const map: Record<string, unknown> = {};
    for (let i = dice(3); i > 0; i--) {
      const key = String(randomScalar(field.mapKey, dice));
      const value = randomValue(field, dice, depth, richness, false);
      Object.defineProperty(map, key, {
        value,
        enumerable: true,
        writable: true,
        configurable: true,
      });
    }
    return map;
  }
  return randomValue(field, dice, depth, richness, field.oneof === undefined);
}

function randomValue(
  field: DescField,
  dice: Dice,
  depth: number,
  richness: number,
  isSingle: boolean,
): unknown {
  if (field.message !== undefined) {
    const { typeName } = field.message;
    if (
      typeName === "google.protobuf.Struct" &&
      field.parent.typeName !== "google.protobuf.Value"
    ) {
      return randomJson(dice, 3);
    }
    if (isSingle && isWrapperType(field.message)) {
      return randomScalar(field.message.fields[0]!.scalar!, dice);
    }
    return randomMessage(field.message, dice, Math.max(0, depth - 1), Math.min(richness, 2));
  }
  if (field.enum !== undefined) {
    if (field.presence !== 3 && dice(9) === 0) return dice(200) - 100;
    return field.enum.values[dice(field.enum.values.length - 1)]!.number;
  }
  const value = randomScalar(field.scalar!, dice);
  return "longAsString" in field && field.longAsString ? String(value) : value;
}

const strings = [
  "",
  "a",
  "hello world",
  "Zürich",
  "日本語",
  "😀",
  "\ud800",
  "\u0000",
  "x".repeat(70),
];
const special = [
  "__proto__",
  "constructor",
  "é".repeat(50),
  "y".repeat(300),
  "ÿ",
  "\u007f",
  "\u0080",
];

function randomScalar(type: ScalarType, dice: Dice): unknown {
  const bits = (): number => (dice(0xffff) << 16) | dice(0xffff);
  const edge = dice(3) === 0;
  switch (type) {
    case ScalarType.BOOL:
      return dice(1) === 1;
    case ScalarType.STRING: {
      const list = dice(3) === 0 ? special : strings;
      return list[dice(list.length - 1)];
    }
    case ScalarType.BYTES: {
      const count = [0, 1, 7, 8, 50, 100, 4095, 4096, 5001][dice(dice(3) === 0 ? 8 : 5)]!;
      return Uint8Array.from({ length: count }, (_, i) => (i * 7 + count) & 0xff);
    }
    case ScalarType.DOUBLE:
      return edge ? [0, -0, Number.NaN, Infinity, 5e-324][dice(4)] : bits() / 1e3;
    case ScalarType.FLOAT:
      return edge ? [0, -0, Number.NaN, -Infinity, 1e-45][dice(4)] : Math.fround(bits() / 7);
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return edge ? [0, -1, 2 ** 31 - 1, -(2 ** 31)][dice(3)] : bits();
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return edge ? [0, 1, 2 ** 31, 2 ** 32 - 1][dice(3)] : bits() >>> 0;
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return edge ? [0n, 1n, 2n ** 63n, 2n ** 64n - 1n][dice(3)] : BigInt(bits() >>> 0) * 65537n;
    default:
      return edge ? [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)][dice(3)] : BigInt(bits()) * 65537n;
  }
}

function randomJson(dice: Dice, depth: number): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (let i = dice(3); i > 0; i--) {
    json[strings[dice(strings.length - 1)]! + i] = randomJsonValue(dice, depth);
  }
  return json;
}

function randomJsonValue(dice: Dice, depth: number): unknown {
  switch (dice(depth > 0 ? 5 : 3)) {
    case 0:
      return null;
    case 1:
      return dice(1) === 1;
    case 2:
      return dice(1000) / 8;
    case 3:
      return special[dice(special.length - 1)];
    case 4:
      return Array.from({ length: dice(3) }, () => randomJsonValue(dice, depth - 1));
    default:
      return randomJson(dice, depth - 1);
  }
}

/** A plain message with what a view shows. */
export function materialized(desc: DescMessage, view: unknown): Message {
  const from = view as Message & Record<string, unknown>;
  const message = create(desc) as Message & Record<string, unknown>;
  for (const field of desc.fields) {
    const { localName } = field;
    if (field.oneof !== undefined) {
      const { case: name, value } = from[field.oneof.localName] as {
        case?: string;
        value: unknown;
      };
      if (name !== localName) continue;
      message[field.oneof.localName] = { case: name, value: shown(field, value) };
    } else if (field.fieldKind === "list") {
      message[localName] = (from[localName] as unknown[]).map((item) => shown(field, item));
    } else if (field.fieldKind === "map") {
      const map = message[localName] as object;
      for (const [key, item] of Object.entries(from[localName] as object)) {
        setOwn(map, key, shown(field, item));
      }
    } else {
      const value = shown(field, from[localName]);
      const isDefault = field.presence !== 2 && isSame(value, message[localName]);
      if (value !== undefined && !isDefault) message[localName] = value;
    }
  }
  if (from.$unknown !== undefined) message.$unknown = from.$unknown;
  return message;
}

function shown(field: DescField, value: unknown): unknown {
  if (field.message !== undefined && typeof value === "object" && value !== null) {
    if ("$typeName" in value && field.message.typeName === value.$typeName) {
      return materialized(field.message, value);
    }
  }
  return value instanceof Uint8Array ? value.slice() : value;
}

/** Explicit presence can't be seen from a view's getters: a default counts as absent. */
function isSame(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || (a instanceof Uint8Array && b instanceof Uint8Array && !compare(a, b));
}

function compare(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}
