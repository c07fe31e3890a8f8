/** The part of every generated encoder that does not depend on the type; text, like the writer's. */
export const encoderPrelude = `
const { allocate, bytesMax } = rt;
// Set for the time of a call only: a codec that lives on must not keep the memory of an app that is gone.
let u8 = null, i32 = null, u32 = null, out = null;
// The message: its body, its string area and its segments, absolute.
let base = 0, area = 0, segments = 0;
// Lengths of nested messages, entries and packed lists: the sizer puts them down in the order in which the
// encoder asks for them, as both take the same walk.
let sizes = new Int32Array(256), next = 0;


function measure(memory, offset, inlineLength) {
  u8 = memory.u8; i32 = memory.i32; u32 = memory.u32;
  base = offset;
  area = offset + i32[offset >> 2];
  segments = offset + inlineLength;
  next = 0;
  return s0(offset + 8);
}

function release() {
  u8 = i32 = u32 = out = null;
  if (sizes.length > 65536) sizes = new Int32Array(256);
}

function size(memory, offset, inlineLength) {
  const n = measure(memory, offset, inlineLength);
  release();
  return n;
}

function encode(memory, offset, inlineLength, target, start) {
  const n = measure(memory, offset, inlineLength);
  let end = -n;
  if (n <= target.length - start && n <= bytesMax) {
    out = target;
    next = 0;
    end = e0(offset + 8, start);
  }
  release();
  return end;
}

function encodeBehind(memory, offset, inlineLength, prefix) {
  const n = measure(memory, offset, inlineLength);
  try {
    out = allocate(prefix, n);
    next = 0;
    e0(offset + 8, prefix);
    return out;
  } finally {
    release();
  }
}

function slot() {
  if (next === sizes.length) {
    const more = new Int32Array(next * 2);
    more.set(sizes);
    sizes = more;
  }
  return next++;
}

function size32(v) {
  return v < 0x80 ? 1 : v < 0x4000 ? 2 : v < 0x200000 ? 3 : v < 0x10000000 ? 4 : 5;
}

/** Negative numbers are extended to 64 bits. */
function sizeSigned(v) {
  return v < 0 ? 10 : size32(v);
}

function size64(low, high) {
  if (high === 0) return size32(low >>> 0);
  const upper = (high << 4) | (low >>> 28);
  return (high >>> 28) !== 0 ? (high < 0 ? 10 : 9) : 4 + size32(upper >>> 0);
}

function sizeZigzag64(low, high) {
  const sign = high >> 31;
  return size64((low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
}

/** Text or bytes with their length in front. */
function sizeText(n) {
  return n + size32(n);
}

function varint(at, v) {
  while (v > 127) {
    out[at++] = (v & 127) | 128;
    v >>>= 7;
  }
  out[at] = v;
  return at + 1;
}

function signed(at, v) {
  return v < 0 ? varint64(at, v, -1) : varint(at, v);
}

function varint64(at, low, high) {
  while (high !== 0) {
    out[at++] = (low & 127) | 128;
    low = (low >>> 7) | (high << 25);
    high >>>= 7;
  }
  return varint(at, low >>> 0);
}

function zigzag64(at, low, high) {
  const sign = high >> 31;
  return varint64(at, (low << 1) ^ sign, ((high << 1) | (low >>> 31)) ^ sign);
}

function fixed32(at, v) {
  out[at] = v;
  out[at + 1] = v >> 8;
  out[at + 2] = v >> 16;
  out[at + 3] = v >> 24;
  return at + 4;
}

function copy(at, from, n) {
  const target = out, source = u8, stop = at + n;
  if (n > 64) {
    target.set(source.subarray(from, from + n), at);
    return stop;
  }
  // Four at a time, which takes half as long.
  while (at + 4 <= stop) {
    target[at] = source[from];
    target[at + 1] = source[from + 1];
    target[at + 2] = source[from + 2];
    target[at + 3] = source[from + 3];
    at += 4;
    from += 4;
  }
  while (at < stop) target[at++] = source[from++];
  return stop;
}

function string(at, k) {
  const n = i32[k + 1] & 0x7fffffff;
  return copy(varint(at, n), area + i32[k], n);
}

function bytes(at, k) {
  const r = i32[k], n = i32[k + 1];
  return copy(varint(at, n), r < 0 ? segments + (r & 0x7fffffff) * 8 : base + r, n);
}

function unknown(at, r) {
  return copy(at, base + r + 4, i32[(base + r) >> 2]);
}
`;
