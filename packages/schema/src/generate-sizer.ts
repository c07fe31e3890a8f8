/**
 * Generates the sizer of a message type: the function that adds up what a message takes in protobuf's
 * encoding, and puts down the lengths that the encoder needs before it can know them.
 */
import {
  elementOf,
  emitListHead,
  emitMapHead,
  isSameInMemory,
  type Place,
  structAt,
} from "./encode-value.ts";
import { isSet } from "./field-presence.ts";
import { elementBytes } from "./layout.ts";
import type { Closure, Source } from "./source.ts";
import { tagOf, varintOf, type WireField, type WireForm, wireTypeOf } from "./wire-field.ts";

/** The function `s…` of type number `index`. */
export function emitSizer(
  source: Source,
  closure: Closure,
  index: number,
  fields: readonly WireField[],
): void {
  source.line(`function s${index}(p) {`);
  source.line("const q = p >> 2;");
  source.line("let z = 0;");
  for (const wire of fields) {
    const { field } = wire;
    source.line(`if (${isSet(field, "i32", "q")}) {`);
    if (field.shape === "map") emitMapSize(source, closure, wire);
    else if (field.shape === "list") emitListSize(source, closure, wire);
    else {
      const place = { at: `q + ${field.word}`, isElement: false };
      emitSize(source, closure, wire, wire.form, place, "z", tagBytes(wire, wire.form));
    }
    source.line("}");
  }
  source.line("const u = i32[q];");
  source.line("return u === 0 ? z : z + i32[(base + u) >> 2];");
  source.line("}");
}

function tagBytes({ field }: WireField, form: WireForm): number {
  const bytes = varintOf(tagOf(field.number, wireTypeOf(form))).length;
  return form === "group" ? bytes * 2 : bytes;
}

/** Adds the size of a value and of its tag to a variable. */
function emitSize(
  source: Source,
  closure: Closure,
  { field }: WireField,
  form: WireForm,
  place: Place,
  sum: string,
  tag: number,
): void {
  if (form !== "message" && form !== "group") {
    source.line(`${sum} += ${tag} + ${scalarSize(form, place.at)};`);
    return;
  }
  const call = `s${closure.indexOf(field.value.message!)}(${structAt(place)})`;
  if (form === "group") {
    source.line(`${sum} += ${tag} + ${call};`);
    return;
  }
  source.line("{");
  source.line(`const t = slot(), n = ${call};`);
  source.line("sizes[t] = n;");
  source.line(`${sum} += ${tag} + sizeText(n);`);
  source.line("}");
}

/** An expression for the bytes of a value at word `k`. */
function scalarSize(form: WireForm, k: string): string {
  switch (form) {
    case "bool":
      return "1";
    case "fixed32":
      return "4";
    case "fixed64":
      return "8";
    case "varint32":
      return `size32(u32[${k}])`;
    case "signed32":
      return `sizeSigned(i32[${k}])`;
    case "zigzag32":
      return `size32(((i32[${k}] << 1) ^ (i32[${k}] >> 31)) >>> 0)`;
    case "varint64":
      return `size64(i32[${k}], i32[${k} + 1])`;
    case "zigzag64":
      return `sizeZigzag64(i32[${k}], i32[${k} + 1])`;
    default:
      return `sizeText(i32[${k} + 1] & 0x7fffffff)`;
  }
}

function emitListSize(source: Source, closure: Closure, wire: WireField): void {
  const { form, field } = wire;
  const packedTag = tagBytes(wire, "bytes");
  emitListHead(source, wire);
  if (isSameInMemory(form)) {
    const size = elementBytes(field.value);
    source.line(
      wire.isPacked
        ? `z += ${packedTag} + sizeText(n * ${size});`
        : `z += n * ${tagBytes(wire, form) + size};`,
    );
    return;
  }
  if (form !== "message" && form !== "group") source.line("const k = b >> 2;");
  if (wire.isPacked) source.line("const t = slot();");
  if (wire.isPacked) source.line("let y = 0;");
  const tag = wire.isPacked ? 0 : tagBytes(wire, form);
  source.line("for (let i = 0; i < n; i++) {");
  emitSize(source, closure, wire, form, elementOf(wire), wire.isPacked ? "y" : "z", tag);
  source.line("}");
  if (!wire.isPacked) return;
  source.line("sizes[t] = y;");
  source.line(`z += ${packedTag} + sizeText(y);`);
}

function emitMapSize(source: Source, closure: Closure, wire: WireField): void {
  const { field, keyForm, form } = wire;
  emitMapHead(source, wire);
  source.line("const e = slot();");
  source.line(`let y = 1 + ${scalarSize(keyForm!, `k + ${field.entry.key}`)};`);
  const place = { at: `k + ${field.entry.value}`, isElement: false };
  emitSize(source, closure, wire, form, place, "y", 1);
  source.line("sizes[e] = y;");
  source.line(`z += ${tagBytes(wire, "bytes")} + sizeText(y);`);
  source.line("}");
}
