import { ValidateCode as Code } from "./validate-reasons.ts";

/** The part of every generated validator that does not depend on the type; text, like the writer's. */
export const validatorPrelude: string = `
const { isAscii, isUtf8, isUnknownBlob } = rt;
// Set for the time of a call only: a codec that lives on must not keep the memory of an app that is gone.
let u8 = null, i32 = null, u32 = null;
let base = 0, depth = 0;
// The next free byte and the end of the structs, relative to the body's start.
let cursor = 0, end = 0;
// The string area: its absolute position, the next string's start in it, and its length.
// Bytes beyond ASCII that no string has accounted for yet.
let area = 0, at = 0, size = 0, ascii = true, beyond = 0;
let lengths = null, count = 0, segment = 0, segmentBytes = 0;

function validate(memory, offset, inlineLength, segmentLengths, segmentCount) {
  u8 = memory.u8; i32 = memory.i32; u32 = memory.u32;
  const code = check(offset, inlineLength, segmentLengths, segmentCount);
  u8 = i32 = u32 = lengths = null;
  return code;
}

function check(offset, inlineLength, segmentLengths, segmentCount) {
  const length = inlineLength | 0;
  if (length !== inlineLength || (length & 7) !== 0 || length < 8 + ROOT) return ${Code.BODY};
  if (!(offset >= 0) || offset % 8 !== 0 || offset + length > u8.length) return ${Code.BODY};
  const structs = i32[offset >> 2], head = i32[(offset >> 2) + 1];
  size = head & 0x7fffffff;
  if (structs < 8 + ROOT || (structs & 7) !== 0 || structs > length) return ${Code.AREA};
  if (structs + padded(size) !== length) return ${Code.LENGTH};
  base = offset;
  end = structs;
  area = offset + structs;
  ascii = head >= 0;
  beyond = 0;
  if (size !== 0) {
    if (!(ascii ? isAsciiArea() : isUtf8(u8.subarray(area, area + size)))) return ${Code.TEXT};
    if (!ascii) beyond = countBeyond();
  }
  cursor = 8 + ROOT;
  at = 0;
  depth = 0;
  lengths = segmentLengths;
  count = segmentCount;
  segment = 0;
  segmentBytes = 0;
  const code = v0(offset + 8);
  if (code !== 0) return code;
  if (cursor !== end) return ${Code.STRUCTS_LEFT};
  if (at !== size) return ${Code.STRINGS_LEFT};
  return beyond === 0 ? 0 : ${Code.TEXT};
}

/** Four bytes at a time; the bytes that pad the area are zero. */
function isAsciiArea() {
  if (size > 4096) return isAscii(u8.subarray(area, area + size));
  let bits = 0;
  const last = (area + size + 3) >> 2;
  for (let i = area >> 2; i < last; i++) bits |= i32[i];
  return (bits & 0x80808080) === 0;
}

function padded(bytes) {
  return bytes + ((8 - (bytes & 7)) & 7);
}

function string(k) {
  if (i32[k] !== at) return ${Code.STRING_START};
  const n = i32[k + 1];
  if (!ascii) return carefully(n);
  if (n < 0 || n > size - at) return ${Code.STRING_END};
  at += n;
  return 0;
}

/**
 * The area as a whole is UTF-8, so a string is when it starts and ends between characters. Strings that
 * are said to be ASCII are: all bytes beyond it are counted in the strings that are not.
 */
function carefully(n) {
  const bytes = n & 0x7fffffff;
  if (bytes > size - at) return ${Code.STRING_END};
  const start = area + at, stop = start + bytes;
  at += bytes;
  if (n >= 0) return 0;
  if (isInside(start) || (at < size && isInside(stop))) return ${Code.TEXT};
  for (let i = start; i < stop; i++) beyond -= u8[i] >> 7;
  return 0;
}

/** How many bytes of the area are beyond ASCII, four at a time. */
function countBeyond() {
  let sum = 0;
  const last = (area + size + 3) >> 2;
  for (let i = area >> 2; i < last; i++) {
    const bits = i32[i] & 0x80808080;
    if (bits !== 0) sum += Math.imul((bits >>> 7) & 0x01010101, 0x01010101) >>> 24;
  }
  return sum;
}

function isInside(position) {
  return (u8[position] & 0xc0) === 0x80;
}

function bytes(k) {
  const r = i32[k], n = i32[k + 1];
  if (r < 0) return inSegment(r & 0x7fffffff, n);
  if (r !== cursor) return ${Code.REFERENCE};
  if (n < 0 || n > end - cursor) return ${Code.PAST_END};
  cursor += padded(n);
  return 0;
}

/** Segments come in order; a transcoder may have dropped the fields of some. */
function inSegment(eighths, n) {
  const start = eighths * 8;
  while (segment < count && segmentBytes < start) segmentBytes += padded(lengths[segment++]);
  if (segment >= count || segmentBytes !== start || lengths[segment] !== n) return ${Code.SEGMENT};
  segmentBytes += padded(n);
  segment++;
  return 0;
}

function unknown(r) {
  if (r !== cursor) return ${Code.REFERENCE};
  if (end - cursor < 8) return ${Code.PAST_END};
  const n = i32[(base + r) >> 2];
  if (n <= 0 || n > end - cursor - 4) return ${Code.PAST_END};
  cursor += padded(n + 4);
  return isUnknownBlob(u8, base + r + 4, base + r + 4 + n) ? 0 : ${Code.UNKNOWN};
}

function isOneOf(numbers, value) {
  return numbers.includes(value);
}
`;
