/** Up to 16 characters of ASCII in one call, which is faster than a native slice. */
const shortText: string = Array.from({ length: 16 }, (_, i) => {
  const codes = Array.from({ length: i + 1 }, (_, at) => `u8[p + ${at}]`);
  return `    case ${i + 1}: return code(${codes.join(", ")});`;
}).join("\n");

/** Functions that readers and views share: short texts, and properties of any name. */
export const sharedReading: string = `
const code = String.fromCharCode;

function short(u8, p, n) {
  switch (n) {
${shortText}
  }
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

/** The part of every generated reader that does not depend on the type; text, like the writer's. */
export const readerPrelude: string = `
const { copiedBytes, parseUnknown, structToJson } = rt;
// Set for the time of a call only: a codec that lives on must not keep the memory of an app that is gone.
let u8 = null, i32 = null, u32 = null, f32 = null, f64 = null, i64 = null, u64 = null, node = null;
let base = 0, segments = 0, area = 0;
// A piece of the string area as one string, from which the message's strings are cut: one native call for
// many. It moves forward through the area. Strings that are cut from it keep it alive, hence its limit.
let text = "", textStart = 0, textEnd = 0, size = 0;

function read(memory, offset, inlineLength) {
  u8 = memory.u8; i32 = memory.i32; u32 = memory.u32; f32 = memory.f32; f64 = memory.f64;
  i64 = memory.i64; u64 = memory.u64; node = memory.node;
  base = offset;
  segments = offset + inlineLength;
  area = offset + i32[offset >> 2];
  size = i32[(offset >> 2) + 1] & 0x7fffffff;
  textStart = 0;
  // In a message with little text, single characters are faster.
  textEnd = size <= 48 ? 0 : Math.min(size, 16384);
  if (textEnd !== 0) text = node.latin1Slice(area, area + textEnd);
  const message = r0(offset + 8);
  text = "";
  u8 = i32 = u32 = f32 = f64 = i64 = u64 = node = null;
  return message;
}

function string(k) {
  const n = i32[k + 1];
  if (n === 0) return "";
  const o = i32[k];
  if (n > 0 && o >= textStart && o + n <= textEnd) {
    return text.substring(o - textStart, o - textStart + n);
  }
  return n > 0 ? elsewhere(o, n) : node.utf8Slice(area + o, area + o + (n & 0x7fffffff));
}

function elsewhere(o, n) {
  if (size <= 48 && n <= 16) return short(u8, area + o, n);
  // A parent's text may be read after its children's: going back is for one string only.
  if (size <= 48 || n > 1024 || o < textStart) return node.latin1Slice(area + o, area + o + n);
  textStart = o;
  textEnd = Math.min(o + 16384, size);
  text = node.latin1Slice(area + textStart, area + textEnd);
  return text.substring(0, n);
}

function bytes(k) {
  const r = i32[k], n = i32[k + 1];
  const start = r < 0 ? segments + (r & 0x7fffffff) * 8 : base + r;
  return copiedBytes(u8, start, n);
}

function unknown(r) {
  const start = base + r + 4;
  return parseUnknown(u8, start, start + i32[(base + r) >> 2]);
}
${sharedReading}
`;
