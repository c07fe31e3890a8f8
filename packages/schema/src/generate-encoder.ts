/**
 * Generates the encoder of a message type: two functions per type that walk the struct by field number, one
 * to add up sizes, one to put bytes. Lengths come before what they measure, hence the sizes first; strings are
 * UTF-8 in memory already, so that costs little.
 *
 * The message has been validated and nobody writes to it. If somebody does, the bytes are wrong, but what
 * is written ends where memory ends.
 */
import { encoderPrelude } from "./encoder-prelude.ts";
import { flagOf, isSet } from "./field-presence.ts";
import { elementBytes } from "./layout.ts";
import { type Closure, Source } from "./source.ts";
import {
  tagOf,
  varintOf,
  type WireField,
  type WireForm,
  WireType,
  wireFieldsOf,
  wireTypeOf,
} from "./wire-field.ts";

/** Source text of a factory that takes `rt` and returns `size`, `encode` and `encodeBehind` of the root type. */
export function generateEncoder(closure: Closure): string {
  const source = new Source();
  source.line(encoderPrelude);
  closure.layouts.forEach((layout, index) => {
    const fields = wireFieldsOf(layout);
    emitSizer(source, closure, index, fields);
    emitEncoder(source, closure, index, fields);
  });
  source.line("return { size, encode, encodeBehind };");
  return source.toString();
}

/** Where a value lies: a row of words or, for the elements of lists, a position. */
interface Place {
  /** Word of the value; for bools in lists their byte, for messages in lists the struct's position. */
  readonly at: string;
  readonly isElement: boolean;
}

function emitSizer(
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

function structAt({ at, isElement }: Place): string {
  return isElement ? at : `base + i32[${at}]`;
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

/** `b`, the position of the list, and `n`, how many it has. */
function emitListHead(source: Source, { field }: WireField): void {
  source.line(`const b = base + i32[q + ${field.word}], n = i32[q + ${field.word + 1}];`);
}

function elementOf({ field, form }: WireField): Place {
  const size = elementBytes(field.value);
  if (form === "message" || form === "group") return { at: `b + i * ${size}`, isElement: true };
  return { at: size === 8 ? "k + i * 2" : "k + i", isElement: true };
}

/** Lists that lie in memory as they do in a packed record. */
function isSameInMemory(form: WireForm): boolean {
  return form === "bool" || form === "fixed32" || form === "fixed64";
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

function emitMapHead(source: Source, { field }: WireField): void {
  source.line(`const b = base + i32[q + ${field.word}], n = i32[q + ${field.word + 1}];`);
  source.line("for (let i = 0; i < n; i++) {");
  source.line(`const k = (b + i * ${field.entry.bytes}) >> 2;`);
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

function emitEncoder(
  source: Source,
  closure: Closure,
  index: number,
  fields: readonly WireField[],
): void {
  source.line(`function e${index}(p, at) {`);
  source.line("const q = p >> 2;");
  for (const wire of fields) {
    const { field, form } = wire;
    source.line(`if (${isSet(field, "i32", "q")}) {`);
    if (field.shape === "map") emitMap(source, closure, wire);
    else if (field.shape === "list") emitList(source, closure, wire);
    else {
      emitTag(source, field.number, wireTypeOf(form));
      if (field.valueBit >= 0) {
        source.line(`out[at++] = ${flagOf(field.valueBit, "i32", "q")} ? 1 : 0;`);
      } else {
        emitValue(source, closure, wire, form, { at: `q + ${field.word}`, isElement: false });
      }
    }
    source.line("}");
  }
  source.line("const u = i32[q];");
  source.line("return u === 0 ? at : unknown(at, u);");
  source.line("}");
}

function emitTag(source: Source, fieldNumber: number, wireType: number): void {
  const bytes = varintOf(tagOf(fieldNumber, wireType));
  source.line(bytes.map((byte) => `out[at++] = ${byte};`).join(" "));
}

/** Puts a value; its tag is there already. */
function emitValue(
  source: Source,
  closure: Closure,
  { field }: WireField,
  form: WireForm,
  place: Place,
): void {
  if (form !== "message" && form !== "group") {
    source.line(scalarPut(form, place.at));
    return;
  }
  if (form === "message") source.line("at = varint(at, sizes[next++]);");
  source.line(`at = e${closure.indexOf(field.value.message!)}(${structAt(place)}, at);`);
  if (form === "group") emitTag(source, field.number, WireType.GROUP_END);
}

function scalarPut(form: WireForm, k: string): string {
  switch (form) {
    case "bool":
      return `out[at++] = i32[${k}];`;
    case "fixed32":
      return `at = fixed32(at, i32[${k}]);`;
    case "fixed64":
      return `at = fixed32(fixed32(at, i32[${k}]), i32[${k} + 1]);`;
    case "varint32":
      return `at = varint(at, u32[${k}]);`;
    case "signed32":
      return `at = signed(at, i32[${k}]);`;
    case "zigzag32":
      return `at = varint(at, ((i32[${k}] << 1) ^ (i32[${k}] >> 31)) >>> 0);`;
    case "varint64":
      return `at = varint64(at, i32[${k}], i32[${k} + 1]);`;
    case "zigzag64":
      return `at = zigzag64(at, i32[${k}], i32[${k} + 1]);`;
    default:
      return `at = ${form}(at, ${k});`;
  }
}

function emitList(source: Source, closure: Closure, wire: WireField): void {
  const { form, field } = wire;
  const size = elementBytes(field.value);
  emitListHead(source, wire);
  if (wire.isPacked) {
    emitTag(source, field.number, WireType.DELIMITED);
    if (isSameInMemory(form)) {
      source.line(`at = copy(varint(at, n * ${size}), b, n * ${size});`);
      return;
    }
    source.line("at = varint(at, sizes[next++]);");
  }
  if (form !== "message" && form !== "group" && form !== "bool") source.line("const k = b >> 2;");
  source.line("for (let i = 0; i < n; i++) {");
  if (!wire.isPacked) emitTag(source, field.number, wireTypeOf(form));
  if (form === "bool") source.line("out[at++] = u8[b + i];");
  else emitValue(source, closure, wire, form, elementOf(wire));
  source.line("}");
}

function emitMap(source: Source, closure: Closure, wire: WireField): void {
  const { field, keyForm, form } = wire;
  emitMapHead(source, wire);
  emitTag(source, field.number, WireType.DELIMITED);
  source.line("at = varint(at, sizes[next++]);");
  emitTag(source, 1, wireTypeOf(keyForm!));
  source.line(scalarPut(keyForm!, `k + ${field.entry.key}`));
  emitTag(source, 2, wireTypeOf(form));
  emitValue(source, closure, wire, form, { at: `k + ${field.entry.value}`, isElement: false });
  source.line("}");
}
