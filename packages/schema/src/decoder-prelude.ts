import { messageDepthMax, protobufBytesMax } from "./limits.ts";
import { ProtobufCode as Code } from "./protobuf-reasons.ts";

/** The part of every generated decoder that does not depend on the type; text, like the writer's. */
export const decoderPrelude: string = `
const { bad, isAscii, isUtf8, repaired, state } = rt;
// Set for the time of a call only: a codec that lives on must not keep the memory of an app that is gone.
let src = null, u8 = null, i32 = null, sink = null;
// Absolute positions: start of the body, next free byte, end of the block.
let base = 0, cursor = 0, limit = 0, depth = 0;
// What a helper has read besides its result: the position behind it, and the words of a varint.
let next = 0, low = 0, high = 0;

/**
 * Where fields have been seen: rows of start, end, tag and the row of the next occurrence. A field's rows are
 * a ring that is known by its last. Rows of a message are dropped when it is done.
 */
let tape = new Int32Array(1024), top = 4;

function decode(source, start, end, memory, offset, stop, segments) {
  src = source; u8 = memory.u8; i32 = memory.i32;
  base = offset;
  limit = stop < u8.length ? stop : u8.length;
  sink = segments;
  try {
    return attempt(start, end < source.length ? end : source.length);
  } catch (cause) {
    if (cause !== bad) throw cause;
    return 0;
  } finally {
    src = u8 = i32 = sink = null;
    if (scratch.length > 65536) scratch = new Uint8Array(4096);
    if (tape.length > 65536) tape = new Int32Array(1024);
  }
}

function attempt(start, end) {
  // Positions are kept in 32 bits.
  if (end > ${protobufBytesMax}) fail(${Code.TOO_LARGE}, start);
  cursor = base + 8 + ROOT;
  depth = 0;
  top = 4;
  textBytes = scratchBytes = segmentBytes = 0;
  anyWide = false;
  pieces.length = 0;
  startGroups();
  if (cursor <= limit) d0(base + 8, start, end, 0, 0);
  const area = cursor, stop = area + padded(textBytes);
  if (stop > limit) return -wanted(stop - base, end - start);
  if (textBytes !== 0) putText(area, stop);
  i32[base >> 2] = area - base;
  i32[(base >> 2) + 1] = anyWide ? textBytes | 0x80000000 : textBytes;
  return stop - base;
}

/**
 * What was behind the end of the block has not been counted: at least twice the room there was, and what the
 * message has in protobuf's encoding, which is seldom longer.
 */
function wanted(bytes, sourceBytes) {
  if (bytes > 0x7ffffff0) fail(${Code.TOO_LARGE}, 0);
  const twice = cursor > limit ? Math.max((limit - base) * 2, sourceBytes - segmentBytes) : 0;
  return Math.min(Math.max(padded(bytes), padded(twice), 64), 0x7ffffff0);
}

function padded(bytes) {
  return bytes + ((8 - (bytes & 7)) & 7);
}

function fail(code, at) {
  state.problem = code;
  state.problemAt = at;
  throw bad;
}

/** The lower 32 bits of a varint. */
function varint32(at, end) {
  if (at < end) {
    const b = src[at];
    if (b < 128) {
      next = at + 1;
      return b;
    }
  }
  return longVarint(at, end);
}

/** A varint to 'low' and 'high'. */
function varint64(at, end) {
  if (at < end && src[at] < 128) {
    low = src[at];
    high = 0;
    next = at + 1;
  } else {
    low = longVarint(at, end);
  }
}

function longVarint(start, end) {
  let l = 0, h = 0, at = start;
  for (let shift = 0; shift < 70; shift += 7) {
    if (at >= end) fail(${Code.TRUNCATED}, start);
    const b = src[at++], bits = b & 127;
    if (shift < 28) {
      l |= bits << shift;
    } else if (shift === 28) {
      l |= bits << 28;
      h = bits >> 4;
    } else {
      h |= bits << (shift - 32);
    }
    if (b < 128) {
      next = at;
      high = h;
      return l;
    }
  }
  return fail(${Code.VARINT}, start);
}

function skipVarint(start, end) {
  for (let at = start; at < end; ) {
    if (src[at++] < 128) return at;
    if (at - start === 10) fail(${Code.VARINT}, start);
  }
  return fail(${Code.TRUNCATED}, start);
}

/** Reads a length: 'next' is where what it measures starts, the result where it ends. */
function delimited(at, end) {
  if (at < end) {
    const b = src[at];
    if (b < 128) {
      next = at + 1;
      const stop = next + b;
      return stop <= end ? stop : fail(${Code.LENGTH}, at);
    }
  }
  const n = longVarint(at, end);
  // Up to five bytes, as in unknown fields.
  if (next - at > 5 || high !== 0 || n < 0 || n > end - next) fail(${Code.LENGTH}, at);
  return next + n;
}

function skipFixed(at, end, bytes) {
  return bytes <= end - at ? at + bytes : fail(${Code.TRUNCATED}, at);
}

function fixed32(at, end) {
  if (end - at < 4) fail(${Code.TRUNCATED}, at);
  return src[at] | (src[at + 1] << 8) | (src[at + 2] << 16) | (src[at + 3] << 24);
}

/** A tag of more than one byte, as a signed number. */
function longTag(start, end) {
  let tag = 0, at = start;
  for (let shift = 0; shift < 35; shift += 7) {
    if (at >= end) fail(${Code.TRUNCATED}, start);
    const b = src[at++];
    tag |= (b & 127) << shift;
    if (b < 128) {
      if (shift === 28 && b > 15) break;
      next = at;
      return tag;
    }
  }
  return fail(${Code.TAG}, start);
}

/** Position behind the value of a field that is not known, or not by this wire type. */
function skip(from, at, end, tag) {
  if (tag >>> 3 === 0) fail(${Code.FIELD_ZERO}, from);
  switch (tag & 7) {
    case 0:
      return skipVarint(at, end);
    case 1:
      return skipFixed(at, end, 8);
    case 2:
      return delimited(at, end);
    case 3:
      group(at, end, tag);
      return next;
    case 5:
      return skipFixed(at, end, 4);
    case 4:
      return fail(${Code.END_GROUP}, from);
    default:
      return fail(${Code.WIRE_TYPE}, from);
  }
}

/** Where the end tag of a group starts; 'next' is behind it. */
function skipGroup(start, end, tag) {
  if (++depth > ${messageDepthMax}) fail(${Code.DEPTH}, start);
  let at = start;
  for (;;) {
    if (at >= end) fail(${Code.TRUNCATED}, start);
    const from = at;
    let inner = src[at++];
    if (inner > 127) {
      inner = longTag(from, end);
      at = next;
    }
    if ((inner & 7) === 4 && inner >>> 3 !== 0) {
      if (inner >>> 3 !== tag >>> 3) fail(${Code.END_GROUP}, from);
      depth--;
      next = at;
      return from;
    }
    at = skip(from, at, end, inner);
  }
}

/** Puts down that a field was seen, behind 'last'. Occurrences side by side share a row. */
function note(last, from, to, tag) {
  if (last !== 0 && tape[last + 1] === from && tape[last + 2] === tag) {
    tape[last + 1] = to;
    return last;
  }
  if (top + 4 > tape.length) {
    const more = new Int32Array(tape.length * 2);
    more.set(tape);
    tape = more;
  }
  const row = top;
  top += 4;
  tape[row] = from;
  tape[row + 1] = to;
  tape[row + 2] = tag;
  if (last === 0) {
    tape[row + 3] = row;
  } else {
    tape[row + 3] = tape[last + 3];
    tape[last + 3] = row;
  }
  return row;
}

function pastTag(at) {
  while (src[at] > 127) at++;
  return at + 1;
}

function isOneOf(numbers, value) {
  return numbers.includes(value);
}
`;
