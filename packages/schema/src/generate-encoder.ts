/**
 * Generates the encoder of a message type: two functions per type that walk the struct by field number, one
 * to add up sizes, one to put bytes. Lengths come before what they measure, hence the sizes first; strings are
 * UTF-8 in memory already, so that costs little.
 *
 * The message has been validated and nobody writes to it. If somebody does, the bytes are wrong, but what
 * is written ends where memory ends.
 */
import {
  elementOf,
  emitListHead,
  emitMapHead,
  isSameInMemory,
  type Place,
  structAt,
} from "./encode-value.ts";
import { encoderPrelude } from "./encoder-prelude.ts";
import { flagOf, isSet } from "./field-presence.ts";
import { emitSizer } from "./generate-sizer.ts";
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
