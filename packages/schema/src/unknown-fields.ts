/**
 * Fields that a message carries and its schema does not name. In memory they are one blob in protobuf's
 * own encoding (tag, value, tag, value, …), which is what extensions are kept in, too.
 */
import { messageDepthMax } from "./limits.ts";

/** The shape that protobuf-es gives an element of `$unknown`. */
export interface UnknownField {
  no: number;
  wireType: number;
  data: Uint8Array;
}

const fieldNumberMax = 2 ** 29 - 1;

/** The blob of some unknown fields; `null` when an element is not what protobuf-es would make. */
export function packUnknown(fields: readonly UnknownField[]): Uint8Array | null {
  let bytes = 0;
  for (const { no, wireType, data } of fields) {
    if (!(data instanceof Uint8Array) || !Number.isInteger(no) || no < 1 || no > fieldNumberMax) {
      return null;
    }
    if (!Number.isInteger(wireType) || wireType < 0 || wireType > 5) return null;
    bytes += varintBytes(((no << 3) | wireType) >>> 0) + data.length;
  }
  const blob = new Uint8Array(bytes);
  let at = 0;
  for (const { no, wireType, data } of fields) {
    at = putVarint(blob, at, ((no << 3) | wireType) >>> 0);
    blob.set(data, at);
    at += data.length;
  }
  return isUnknownBlob(blob, 0, at) ? blob : null;
}

/** One unknown field for an enum value that a closed enum does not have, as protobuf-es keeps it. */
export function unknownEnum(no: number, value: number): UnknownField {
  const data: number[] = [];
  let low = value | 0;
  // A negative number is sign-extended to ten bytes.
  for (let i = 0; i < 9 && (low < 0 || low > 127); i++) {
    data.push((low & 0x7f) | 0x80);
    low >>= 7;
  }
  data.push(low < 0 ? 1 : low);
  return { no, wireType: 0, data: new Uint8Array(data) };
}

/**
 * The blob for a message in another version: what was unknown and still is, behind what became unknown.
 * `null` when that is nothing. Fields that the other version knows are left out: their layout is lost.
 */
export function mergeUnknown(
  bytes: Uint8Array,
  start: number,
  length: number,
  known: ReadonlySet<number>,
  extra: readonly UnknownField[] | null,
): Uint8Array | null {
  const old = parseUnknown(bytes, start, Math.min(start + length, bytes.length));
  const fields = [...(extra ?? []), ...old.filter((field) => !known.has(field.no))];
  return fields.length === 0 ? null : packUnknown(fields);
}

/** Takes a validated blob apart. The data is copied out. */
export function parseUnknown(bytes: Uint8Array, start: number, end: number): UnknownField[] {
  const fields: UnknownField[] = [];
  let at = start;
  while (at < end) {
    const tag = varint32(bytes, at, end);
    const dataStart = varintEnd(bytes, at, end);
    const next = tag < 8 ? -1 : skip(bytes, dataStart, end, tag, messageDepthMax);
    if (next < 0) break;
    fields.push({ no: tag >>> 3, wireType: tag & 7, data: bytes.slice(dataStart, next) });
    at = next;
  }
  return fields;
}

/** Whether bytes are a row of complete fields. */
export function isUnknownBlob(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const tag = varint32(bytes, at, end);
    const dataStart = varintEnd(bytes, at, end);
    if (dataStart < 0 || tag < 8) return false;
    at = skip(bytes, dataStart, end, tag, messageDepthMax);
    if (at < 0) return false;
  }
  return true;
}

/** Position after the value of a field, -1 when it does not end in time. */
function skip(bytes: Uint8Array, at: number, end: number, tag: number, depth: number): number {
  switch (tag & 7) {
    case 0:
      return varintEnd(bytes, at, end);
    case 1:
      return at + 8 <= end ? at + 8 : -1;
    case 2: {
      const length = varint32(bytes, at, end);
      const start = varintEnd(bytes, at, end);
      return start < 0 || length < 0 || length > end - start ? -1 : start + length;
    }
    case 3:
      return depth <= 0 ? -1 : skipGroup(bytes, at, end, tag, depth);
    case 5:
      return at + 4 <= end ? at + 4 : -1;
    default:
      return -1;
  }
}

function skipGroup(
  bytes: Uint8Array,
  start: number,
  end: number,
  groupTag: number,
  depth: number,
): number {
  let at = start;
  while (at < end) {
    const tag = varint32(bytes, at, end);
    at = varintEnd(bytes, at, end);
    if (at < 0 || tag < 8) return -1;
    if ((tag & 7) === 4) return tag >>> 3 === groupTag >>> 3 ? at : -1;
    at = skip(bytes, at, end, tag, depth - 1);
    if (at < 0) return -1;
  }
  return -1;
}

/** Position after a varint of at most ten bytes, -1 when it does not end in time. */
function varintEnd(bytes: Uint8Array, start: number, end: number): number {
  const last = Math.min(end, start + 10);
  for (let at = start; at < last; at++) {
    if (bytes[at]! < 0x80) return at + 1;
  }
  return -1;
}

/** A varint that must fit 32 bits, -1 when it does not. */
function varint32(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  const last = Math.min(end, start + 5);
  for (let at = start, factor = 1; at < last; at++, factor *= 128) {
    const byte = bytes[at]!;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return value > 0xffffffff ? -1 : value;
  }
  return -1;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) bytes++;
  return bytes;
}

function putVarint(target: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest > 127) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}
