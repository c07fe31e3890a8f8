/** The part of every generated reader that does not depend on the type; text, like the writer's. */
export const readerPrelude = `
const { parseUnknown, structToJson } = rt;
let mem = null, u8, i32, u32, f32, f64, i64, u64, node;
let base = 0, segments = 0, area = 0;
// The whole string area as one string that the strings of the message are cut from; null when it is very
// long (strings that are cut from it keep it alive) or so short that single characters are faster.
let text = null;
const code = String.fromCharCode;

function read(memory, offset, inlineLength) {
  if (memory !== mem) {
    mem = memory;
    u8 = memory.u8; i32 = memory.i32; u32 = memory.u32; f32 = memory.f32; f64 = memory.f64;
    i64 = memory.i64; u64 = memory.u64; node = memory.node;
  }
  base = offset;
  segments = offset + inlineLength;
  area = offset + i32[offset >> 2];
  const size = i32[(offset >> 2) + 1] & 0x7fffffff;
  text = size > 48 && size <= 16384 ? node.latin1Slice(area, area + size) : null;
  const message = r0(offset + 8);
  text = null;
  return message;
}

function string(k) {
  const n = i32[k + 1];
  if (n === 0) return "";
  const o = i32[k];
  if (n > 0) {
    if (text !== null) return text.substring(o, o + n);
    if (n <= 16) return short(area + o, n);
  }
  return decoded(area + o, n);
}

function short(p, n) {
  switch (n) {
    case 1: return code(u8[p]);
    case 2: return code(u8[p], u8[p + 1]);
    case 3: return code(u8[p], u8[p + 1], u8[p + 2]);
    case 4: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3]);
    case 5: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3], u8[p + 4]);
    case 6: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3], u8[p + 4], u8[p + 5]);
    case 7: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3], u8[p + 4], u8[p + 5], u8[p + 6]);
    case 8: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3], u8[p + 4], u8[p + 5], u8[p + 6], u8[p + 7]);
    case 9: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3], u8[p + 4], u8[p + 5], u8[p + 6], u8[p + 7], u8[p + 8]);
    case 10: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3], u8[p + 4], u8[p + 5], u8[p + 6], u8[p + 7], u8[p + 8], u8[p + 9]);
    case 11: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3], u8[p + 4], u8[p + 5], u8[p + 6], u8[p + 7], u8[p + 8], u8[p + 9], u8[p + 10]);
    case 12: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3], u8[p + 4], u8[p + 5], u8[p + 6], u8[p + 7], u8[p + 8], u8[p + 9], u8[p + 10], u8[p + 11]);
    case 13: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3], u8[p + 4], u8[p + 5], u8[p + 6], u8[p + 7], u8[p + 8], u8[p + 9], u8[p + 10], u8[p + 11], u8[p + 12]);
    case 14: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3], u8[p + 4], u8[p + 5], u8[p + 6], u8[p + 7], u8[p + 8], u8[p + 9], u8[p + 10], u8[p + 11], u8[p + 12], u8[p + 13]);
    case 15: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3], u8[p + 4], u8[p + 5], u8[p + 6], u8[p + 7], u8[p + 8], u8[p + 9], u8[p + 10], u8[p + 11], u8[p + 12], u8[p + 13], u8[p + 14]);
    case 16: return code(u8[p], u8[p + 1], u8[p + 2], u8[p + 3], u8[p + 4], u8[p + 5], u8[p + 6], u8[p + 7], u8[p + 8], u8[p + 9], u8[p + 10], u8[p + 11], u8[p + 12], u8[p + 13], u8[p + 14], u8[p + 15]);
  }
}

function decoded(start, n) {
  if (n > 0) return node.latin1Slice(start, start + n);
  return node.utf8Slice(start, start + (n & 0x7fffffff));
}

function bytes(k) {
  const r = i32[k], n = i32[k + 1];
  const start = r < 0 ? segments + (r & 0x7fffffff) * 8 : base + r;
  if (n > 64) return u8.slice(start, start + n);
  const copy = new Uint8Array(n);
  for (let i = 0; i < n; i++) copy[i] = u8[start + i];
  return copy;
}

function unknown(r) {
  const start = base + r + 4;
  return parseUnknown(u8, start, start + i32[(base + r) >> 2]);
}

function put(target, key, value) {
  if (key !== "__proto__") {
    target[key] = value;
  } else {
    const attributes = { value, writable: true, enumerable: true, configurable: true };
    Object.defineProperty(target, key, attributes);
  }
}
`;
