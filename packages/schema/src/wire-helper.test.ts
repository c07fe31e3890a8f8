/** Protobuf's encoding as tests make it: valid, and in every form that senders may choose. */
import assert from "node:assert/strict";
import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { layoutOf } from "./layout.ts";
import type { Dice } from "./message-box-helper.test.ts";
import {
  canBePacked,
  tagOf,
  type WireForm,
  WireType,
  wireFieldsOf,
  wireTypeOf,
} from "./wire-field.ts";

/** A varint of 64 bits, at times with more bytes than it needs. */
export function varint(value: bigint, extraBytes = 0): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  for (let i = 0; i < extraBytes && bytes.length < 10; i++) {
    bytes[bytes.length - 1]! |= 128;
    bytes.push(0);
  }
  return bytes;
}

/** The bytes of a field: tag and content. */
export function record(
  fieldNumber: number,
  wireType: number,
  content: readonly number[],
): number[] {
  return [...varint(BigInt(tagOf(fieldNumber, wireType))), ...content];
}

/** The same with a length in front of the content. */
export function delimited(fieldNumber: number, content: readonly number[]): number[] {
  const length = varint(BigInt(content.length));
  return record(fieldNumber, WireType.DELIMITED, [...length, ...content]);
}

/**
 * Random bytes that are a message of the type: fields in any order and any number of times, lists in both
 * forms and in pieces, entries without key or value, longer varints than needed, unknown fields.
 */
export function randomWire(desc: DescMessage, dice: Dice, depth = 3): number[] {
  const fields = wireFieldsOf(layoutOf(desc));
  const out: number[][] = [];
  // protobuf-es drops unknown values of closed enums when there are other unknown fields: not both.
  const hasUnknown = dice(3) === 0;
  for (let i = dice(depth > 0 ? 12 : 3); i > 0; i--) {
    const wire = fields[dice(Math.max(0, fields.length - 1))];
    if (wire === undefined || (hasUnknown && dice(4) === 0)) {
      if (hasUnknown) out.push(randomUnknown(dice, 3));
      continue;
    }
    const field = desc.fields.find(({ number }) => number === wire.field.number)!;
    if (field.message !== undefined && depth === 0 && field.presence !== 3) continue;
    for (let times = dice(3) === 0 ? 3 : 1; times > 0; times--) {
      out.push(randomField(field, wire.form, wire.keyForm, dice, depth, hasUnknown));
    }
  }
  for (const { field, form } of fields) {
    if (field.presence !== "required" || dice(20) === 0) continue;
    const required = desc.fields.find(({ number }) => number === field.number)!;
    out.push(randomField(required, form, null, dice, depth, true));
  }
  return out.flat();
}

function randomField(
  field: DescField,
  form: WireForm,
  keyForm: WireForm | null,
  dice: Dice,
  depth: number,
  isKnownEnum: boolean,
): number[] {
  const value = (): number[] => randomValue(field, form, dice, depth, isKnownEnum);
  if (field.fieldKind === "map") {
    const parts = Array.from({ length: dice(3) }, () => {
      if (dice(8) === 0) return randomUnknown(dice, 1, 3);
      if (dice(1) === 0) return record(2, wireTypeOf(form), value());
      const key = randomScalar(field.mapKey, keyForm!, field.utf8Validation, dice);
      return record(1, wireTypeOf(keyForm!), key);
    });
    return delimited(field.number, parts.flat());
  }
  if (field.fieldKind === "list" && canBePacked(form) && dice(1) === 0) {
    return delimited(field.number, Array.from({ length: dice(5) }, value).flat());
  }
  return record(field.number, wireTypeOf(form), value());
}

function randomValue(
  field: DescField,
  form: WireForm,
  dice: Dice,
  depth: number,
  isKnownEnum: boolean,
): number[] {
  if (field.message !== undefined) {
    const content = randomWire(field.message, dice, Math.max(0, depth - 1));
    if (form !== "group")
      return [...varint(BigInt(content.length), dice(6) === 0 ? 1 : 0), ...content];
    return [...content, ...varint(BigInt(tagOf(field.number, WireType.GROUP_END)))];
  }
  if (field.enum !== undefined) return randomEnum(field.enum, dice, isKnownEnum);
  return randomScalar(field.scalar!, form, field.utf8Validation, dice);
}

function randomEnum({ values, open }: DescEnum, dice: Dice, isKnown: boolean): number[] {
  const isOther = (open || !isKnown) && dice(5) === 0;
  const number = isOther ? dice(3000) - 1500 : values[dice(values.length - 1)]!.number;
  return varint(BigInt(number));
}

const texts = ["", "a", "plain ASCII text", "Zürich", "日本語 😀", "x".repeat(70), "é".repeat(200)];
const noTexts = [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xc0, 0x80, 0x62]];

function randomScalar(type: ScalarType, form: WireForm, isChecked: boolean, dice: Dice): number[] {
  const octets = (count: number): number[] => Array.from({ length: count }, () => dice(255));
  switch (form) {
    case "fixed32":
      return octets(4);
    case "fixed64":
      return octets(8);
    case "string": {
      const isBroken = !isChecked && dice(4) === 0;
      const bytes = isBroken
        ? noTexts[dice(noTexts.length - 1)]!
        : [...Buffer.from(texts[dice(texts.length - 1)]!)];
      return [...varint(BigInt(bytes.length)), ...bytes];
    }
    case "bytes": {
      const bytes = octets(dice(8) === 0 ? 4095 + dice(2) : dice(9));
      return [...varint(BigInt(bytes.length)), ...bytes];
    }
    case "bool":
      return varint(BigInt(dice(2)), dice(9) === 0 ? dice(9) : 0);
    default: {
      const isShort = dice(2) === 0;
      const value = isShort ? BigInt(dice(300)) : bits(octets(8));
      const isNarrow = type === ScalarType.UINT32 || type === ScalarType.INT32;
      return varint(
        isNarrow && dice(1) === 0 ? BigInt.asIntN(32, value) : value,
        dice(9) === 0 ? 2 : 0,
      );
    }
  }
}

function bits(octets: readonly number[]): bigint {
  return octets.reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n);
}

function randomUnknown(dice: Dice, depth: number, fieldNumber = 19000 + dice(900)): number[] {
  const wireType = [0, 1, 2, 5, 3][dice(depth > 0 ? 4 : 3)]!;
  const octets = (count: number): number[] => Array.from({ length: count }, () => dice(255));
  switch (wireType) {
    case WireType.VARINT:
      return record(fieldNumber, 0, varint(BigInt(dice(100_000)), dice(3)));
    case WireType.FIXED64:
      return record(fieldNumber, 1, octets(8));
    case WireType.DELIMITED:
      return delimited(fieldNumber, octets(dice(9)));
    case WireType.FIXED32:
      return record(fieldNumber, 5, octets(4));
    default: {
      const inner = Array.from({ length: dice(2) }, () => randomUnknown(dice, depth - 1)).flat();
      return [...record(fieldNumber, 3, inner), ...record(fieldNumber, 4, [])];
    }
  }
}

/** What is in a well-formed message that protobuf-es takes another way. */
export interface Oddities {
  /**
   * A known field comes with a wire type that is not its own: protobuf says that it is unknown then,
   * protobuf-es reads on as if it were right.
   */
  foreign: boolean;
  /** A value is replaced by a later one. Nobody looks into it but protobuf-es, which may find it malformed. */
  replaced: boolean;
}

/** Looks through a message that is well-formed, apart from values that are replaced. */
export function odditiesIn(desc: DescMessage, bytes: Uint8Array): Oddities {
  const found: Findings = { foreign: false, replaced: false, malformed: [] };
  lookThrough(desc, bytes, found);
  if (found.malformed.length === 0) return found;
  assert.ok(found.replaced, `malformed, and nothing is replaced: ${String(found.malformed[0])}`);
  return { foreign: true, replaced: true };
}

interface Findings extends Oddities {
  readonly malformed: unknown[];
}

function lookThrough(desc: DescMessage, bytes: Uint8Array, found: Findings): void {
  try {
    lookThroughFields(desc, bytes, found);
  } catch (error) {
    found.malformed.push(error);
  }
}

function lookThroughFields(desc: DescMessage, bytes: Uint8Array, found: Findings): void {
  const fields = new Map(wireFieldsOf(layoutOf(desc)).map((wire) => [wire.field.number, wire]));
  const seen = new Set<unknown>();
  forEachField(bytes, (fieldNumber, wireType, content) => {
    const wire = fields.get(fieldNumber);
    if (wire === undefined) return;
    const { shape, oneof } = wire.field;
    const isPacked = shape === "list" && canBePacked(wire.form) && wireType === WireType.DELIMITED;
    const isOwn = wireType === (shape === "map" ? WireType.DELIMITED : wireTypeOf(wire.form));
    if (!isOwn && !isPacked) {
      found.foreign = true;
      return;
    }
    // Entries may have the same key.
    if (shape !== "list") {
      if (seen.has(oneof ?? wire)) found.replaced = true;
      seen.add(oneof ?? wire);
    }
    const child = desc.fields.find(({ number }) => number === fieldNumber)?.message;
    if (shape === "map") lookThroughEntry(wire.keyForm!, wire.form, child, content, found);
    else if (child !== undefined) lookThrough(child, content, found);
  });
}

function lookThroughEntry(
  keyForm: WireForm,
  form: WireForm,
  child: DescMessage | undefined,
  bytes: Uint8Array,
  found: Findings,
): void {
  const seen = new Set<number>();
  forEachField(bytes, (fieldNumber, wireType, content) => {
    if (fieldNumber > 2) return;
    if (wireType !== wireTypeOf(fieldNumber === 1 ? keyForm : form)) {
      found.foreign = true;
      return;
    }
    if (seen.has(fieldNumber)) found.replaced = true;
    seen.add(fieldNumber);
    if (fieldNumber === 2 && child !== undefined) lookThrough(child, content, found);
  });
}

function forEachField(
  bytes: Uint8Array,
  visit: (fieldNumber: number, wireType: number, content: Uint8Array) => void,
): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [fieldNumber, wireType] = reader.tag();
    const data = reader.skip(wireType, fieldNumber);
    if (wireType === WireType.DELIMITED) visit(fieldNumber, wireType, contentOf(data));
    else if (wireType === WireType.GROUP) visit(fieldNumber, wireType, withoutEnd(data));
    else visit(fieldNumber, wireType, data);
  }
}

function contentOf(data: Uint8Array): Uint8Array {
  const reader = new BinaryReader(data);
  return reader.bytes();
}

/** A group's content: its end tag is the last thing in it. */
function withoutEnd(data: Uint8Array): Uint8Array {
  const reader = new BinaryReader(data);
  for (;;) {
    const at = reader.pos;
    if (at >= reader.len) return data;
    const [fieldNumber, wireType] = reader.tag();
    if (wireType === WireType.GROUP_END) return data.subarray(0, at);
    reader.skip(wireType, fieldNumber);
  }
}
