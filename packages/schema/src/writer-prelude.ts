/**
 * The part of every generated writer that does not depend on the type. It is text, not a module: its
 * variables are those of the generated functions, one set per codec, so that V8 can inline all of it.
 */
export const writerPrelude = `
const { bad, explain, packUnknown, unknownEnum, structFromJson, byteLength } = rt;
const isArray = Array.isArray, keys = Object.keys, hasOwn = Object.hasOwn;
// Set for the time of a call only: a codec that lives on must not keep the memory of an app that is gone.
let u8 = null, i32 = null, u32 = null, f32 = null, f64 = null, i64 = null, u64 = null, node = null;
// Absolute positions: start of the body, next free byte, end of the block.
let base = 0, cursor = 0, limit = 0, depth = 0;
// The string area: its length in bytes so far, the first bytes of it, and the strings after those. One
// native write for all of them costs less than one for each; a few short ones are faster without any.
const first = new Uint8Array(FIRST + 8), firstWords = new Int32Array(first.buffer);
let at = 0, firstBytes = 0, firstBits = 0, text = "";
// Careful mode: strings may hold more than ASCII, and their lengths in UTF-8 are counted.
let careful = false, anyWide = false, carefulRuns = 0;
let sink = null, segmentBytes = 0, segmentSeen = 0;
const segmentTaken = [];

function bind(memory) {
  u8 = memory.u8; i32 = memory.i32; u32 = memory.u32; f32 = memory.f32; f64 = memory.f64;
  i64 = memory.i64; u64 = memory.u64; node = memory.node;
}

function release() {
  u8 = i32 = u32 = f32 = f64 = i64 = u64 = node = null;
}

function write(message, memory, offset, end, segments) {
  bind(memory);
  base = offset;
  limit = end < u8.length ? end : u8.length;
  sink = segments;
  if (segmentTaken.length !== 0) segmentTaken.length = 0;
  careful = carefulRuns > 0;
  try {
    let result = attempt(message);
    if (result === 0) {
      // The message is not all ASCII: write it again with care, and expect more of its kind.
      careful = true;
      carefulRuns = 64;
      result = attempt(message);
    } else if (careful) {
      carefulRuns = anyWide ? 64 : carefulRuns - 1;
    }
    return result;
  } catch (cause) {
    throw explain(message, cause);
  } finally {
    text = "";
    sink = null;
    release();
  }
}

/** The inline length, minus the bytes to try next, or 0 when care is needed. */
function attempt(message) {
  cursor = base + 8 + ROOT;
  depth = 0;
  text = "";
  at = 0;
  firstBytes = 0;
  firstBits = 0;
  anyWide = false;
  segmentBytes = 0;
  segmentSeen = 0;
  if (cursor <= limit) w0(message, base + 8);
  const area = cursor, size = at;
  const end = area + padded(size);
  if (end > limit) return -wanted(end - base);
  if (size !== 0) {
    i32[(end >> 2) - 2] = 0;
    i32[(end >> 2) - 1] = 0;
    if (firstBits > 127) return 0;
    if (firstBytes !== 0) {
      // Word by word: what follows in the last one is zero.
      first[firstBytes] = first[firstBytes + 1] = first[firstBytes + 2] = 0;
      const words = (firstBytes + 3) >> 2, to = area >> 2;
      for (let i = 0; i < words; i++) i32[to + i] = firstWords[i];
    }
    const rest = size - firstBytes;
    if (careful) {
      node.utf8Write(text, area + firstBytes, rest);
    } else if (rest !== 0) {
      // Any character beyond ASCII makes it longer, if it has the room: four bytes tell for sure.
      if (limit - area < size + 4) return -wanted(end - base + 8);
      if (node.utf8Write(text, area + firstBytes, rest + 4) !== rest) return 0;
    }
  }
  i32[base >> 2] = area - base;
  i32[(base >> 2) + 1] = anyWide ? size | 0x80000000 : size;
  return end - base;
}

/** Children of what did not fit were not counted, hence at least twice the room there was. */
function wanted(bytes) {
  if (bytes > 0x7ffffff0) throw bad;
  const twice = cursor > limit ? (limit - base) * 2 : 0;
  return Math.min(Math.max(padded(bytes), padded(twice), 64), 0x7ffffff0);
}

function padded(bytes) {
  return bytes + ((8 - (bytes & 7)) & 7);
}

function string(k, s) {
  if (typeof s !== "string") throw bad;
  const n = s.length;
  i32[k] = at;
  if (careful) {
    carefully(k, s, n);
    return;
  }
  i32[k + 1] = n;
  if (at === firstBytes && at + n <= FIRST) {
    let bits = firstBits;
    for (let i = 0; i < n; i++) {
      const c = s.charCodeAt(i);
      bits |= c;
      first[at + i] = c;
    }
    firstBits = bits;
    firstBytes = at + n;
  } else {
    text += s;
  }
  at += n;
}

function carefully(k, s, n) {
  let bits = 0;
  if (n <= 24) for (let i = 0; i < n; i++) bits |= s.charCodeAt(i);
  else if (byteLength(s) !== n) bits = 128;
  if (bits < 128) {
    i32[k + 1] = n;
    at += n;
    text += s;
  } else {
    const t = s.isWellFormed() ? s : s.toWellFormed();
    const bytes = byteLength(t);
    i32[k + 1] = bytes | 0x80000000;
    at += bytes;
    text += t;
    anyWide = true;
  }
}

function bytes(k, v) {
  if (!(v instanceof Uint8Array)) throw bad;
  const n = v.length;
  if (n >= SEGMENT) {
    let taken;
    if (segmentSeen < segmentTaken.length) taken = segmentTaken[segmentSeen];
    else segmentTaken.push((taken = sink.add(v)));
    segmentSeen++;
    if (taken >= 0) {
      i32[k] = (segmentBytes / 8) | 0x80000000;
      i32[k + 1] = n;
      segmentBytes += padded(n);
      return;
    }
  }
  const p = cursor;
  cursor += padded(n);
  i32[k] = p - base;
  i32[k + 1] = n;
  if (n !== 0 && cursor <= limit) copy(v, p, n);
}

function copy(v, p, n) {
  const e = cursor >> 2;
  i32[e - 2] = 0;
  i32[e - 1] = 0;
  if (n <= 12) for (let i = 0; i < n; i++) u8[p + i] = v[i];
  else u8.set(v, p);
}

function unknown(k, fields) {
  const blob = packUnknown(fields);
  if (blob === null) throw bad;
  const p = cursor, n = blob.length;
  cursor += padded(n + 4);
  i32[k] = p - base;
  if (cursor > limit) return;
  const e = cursor >> 2;
  i32[e - 2] = 0;
  i32[e - 1] = 0;
  i32[p >> 2] = n;
  u8.set(blob, p + 4);
}

function joined(extra, fields) {
  return extra === null ? fields : fields === undefined ? extra : extra.concat(fields);
}

function float(v) {
  if (typeof v !== "number") throw bad;
  const f = Math.fround(v);
  if (f - f !== 0 && v - v === 0) throw bad;
  return f;
}

function signed(v) {
  const b = typeof v === "bigint" ? v : big(v);
  if (BigInt.asIntN(64, b) !== b) throw bad;
  return b;
}

function unsigned(v) {
  const b = typeof v === "bigint" ? v : big(v);
  if (BigInt.asUintN(64, b) !== b) throw bad;
  return b;
}

/** 64-bit integers also come as decimal strings (jstype) and as safe integers. */
function big(v) {
  if (typeof v === "number" && Number.isSafeInteger(v)) return BigInt(v);
  if (typeof v === "string" && /^-?[0-9]{1,20}$/.test(v)) return BigInt(v);
  throw bad;
}

function bigKey(s) {
  return /^-?[0-9]{1,20}$/.test(s) ? BigInt(s) : undefined;
}

function numberKey(s) {
  return /^-?[0-9]{1,10}$/.test(s) ? Number(s) : undefined;
}

function notBool() {
  throw bad;
}

function isOneOf(numbers, value) {
  return numbers.includes(value);
}
`;
