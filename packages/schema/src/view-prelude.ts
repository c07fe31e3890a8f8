import { sharedReading } from "./reader-prelude.ts";

/** The part of every generated view that does not depend on the type; text, like the writer's. */
export const viewPrelude: string = `
const { parseUnknown, structToJson } = rt;

/** Where the views of one message find their bytes. */
class Context {
  constructor(memory, offset, inlineLength) {
    this.u8 = memory.u8; this.i32 = memory.i32; this.u32 = memory.u32; this.f32 = memory.f32;
    this.f64 = memory.f64; this.i64 = memory.i64; this.u64 = memory.u64; this.node = memory.node;
    this.base = offset;
    this.segments = offset + inlineLength;
    this.area = offset + memory.i32[offset >> 2];
  }
}

function view(memory, offset, inlineLength) {
  return new V0(new Context(memory, offset, inlineLength), offset + 8);
}

function getter(prototype, name, get) {
  Object.defineProperty(prototype, name, { get, enumerable: true, configurable: true });
}

function string(c, k) {
  const n = c.i32[k + 1];
  if (n === 0) return "";
  const start = c.area + c.i32[k];
  if (n < 0) return c.node.utf8Slice(start, start + (n & 0x7fffffff));
  return n <= 16 ? short(c.u8, start, n) : c.node.latin1Slice(start, start + n);
}

function bytes(c, k) {
  const r = c.i32[k];
  const start = r < 0 ? c.segments + (r & 0x7fffffff) * 8 : c.base + r;
  return c.u8.subarray(start, start + c.i32[k + 1]);
}

function unknown(c, r) {
  const start = c.base + r + 4;
  return parseUnknown(c.u8, start, start + c.i32[(c.base + r) >> 2]);
}
${sharedReading}
`;
