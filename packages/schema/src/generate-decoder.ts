/**
 * Generates the decoder of a message type: one function per type that makes a struct out of the ranges of
 * bytes that belong to a message.
 *
 * Fields come in any order and any number of times, while everything in memory has one right place. So a
 * function first goes through its message, one level deep: numbers are stored at once, the last one stays;
 * of all else it is noted where it was. Then it goes by field number and puts what it has noted at the cursor,
 * as the writer would. A message that came in several parts is decoded from all of them, which is what
 * merging means. The work is bounded by the length of the bytes, whatever they say.
 */
import { emitElementList, emitMessageList, emitNumberList } from "./decode-list.ts";
import { emitEntry, emitMap } from "./decode-map.ts";
import {
  type DecodeContext,
  emitChild,
  emitNotedField,
  isNoted,
  isNumber,
  putAbsent,
  readNumber,
} from "./decode-value.ts";
import { keptGroups, plainGroups } from "./decoder-groups.ts";
import { decoderPrelude } from "./decoder-prelude.ts";
import { decoderText } from "./decoder-text.ts";
import { type FieldLayout, isWide, type MessageLayout } from "./layout.ts";
import { messageDepthMax } from "./limits.ts";
import { ProtobufCode as Code } from "./protobuf-reasons.ts";
import { type Closure, Source } from "./source.ts";
import {
  canBePacked,
  tagOf,
  type WireField,
  WireType,
  wireFieldsOf,
  wireTypeOf,
} from "./wire-field.ts";

/** Source text of a factory that takes `rt` and returns the `decode` function of the root type. */
export function generateDecoder(closure: Closure): string {
  const source = new Source();
  const types = closure.layouts.map((layout) => wireFieldsOf(layout));
  const hasGroups = types.some((fields) => fields.some(({ form }) => form === "group"));
  source.line(`const ROOT = ${closure.layouts[0]!.bytes};`);
  source.line(decoderPrelude);
  source.line(decoderText);
  source.line(hasGroups ? keptGroups : plainGroups);
  const context: DecodeContext = { source, closure, hasGroups };
  closure.layouts.forEach((layout, index) => {
    emitMessage(context, layout, index, types[index]!);
    types[index]!.forEach((wire, at) => {
      if (wire.field.shape === "map") emitEntry(context, wire, `m${index}_${at}`);
    });
  });
  source.line("return decode;");
  return source.toString();
}

function emitMessage(
  context: DecodeContext,
  layout: MessageLayout,
  index: number,
  fields: readonly WireField[],
): void {
  const { source } = context;
  source.line(`function d${index}(p, at, end, h, t) {`);
  source.line(`if (++depth > ${messageDepthMax}) fail(${Code.DEPTH}, at);`);
  source.line("const q = p >> 2, mark = top;");
  emitLocals(source, layout, fields);
  source.line("for (;;) {");
  source.line("if (at >= end) {");
  source.line("if (h === t) break;");
  source.line("h = tape[h + 3];");
  source.line("at = tape[h];");
  source.line("end = tape[h + 1];");
  source.line("continue;");
  source.line("}");
  source.line("const from = at;");
  source.line("let tag = src[at++];");
  source.line("if (tag > 127) {");
  source.line("tag = longTag(from, end);");
  source.line("at = next;");
  source.line("}");
  source.line("switch (tag) {");
  fields.forEach((wire, i) => {
    emitCase(source, layout, wire, i);
  });
  source.line("default:");
  source.line("at = skip(from, at, end, tag);");
  source.line("u = note(u, from, at, 0);");
  source.line("}");
  source.line("}");
  fields.forEach((wire, i) => {
    emitField(context, layout, index, wire, i);
  });
  emitEnd(source, layout);
}

function emitLocals(source: Source, layout: MessageLayout, fields: readonly WireField[]): void {
  source.line("let u = 0;");
  for (let i = 0; i < layout.flagWords; i++) source.line(`let f${i} = 0;`);
  for (const word of layout.paddingWords) source.line(`i32[q + ${word}] = 0;`);
  layout.oneofs.forEach((oneof, i) => {
    source.line(`let case${i} = 0, oa${i} = 0, oz${i} = 0, ot${i} = 0;`);
    source.line(`i32[q + ${oneof.valueWord}] = 0; i32[q + ${oneof.valueWord + 1}] = 0;`);
  });
  fields.forEach(({ field, form }, i) => {
    if (field.oneof !== null) return;
    if (field.shape !== "single") {
      const isCounted = field.shape === "map" || !canBePacked(form);
      source.line(isCounted ? `let T${i} = 0, C${i} = 0;` : `let T${i} = 0;`);
    } else if (form === "string" || form === "bytes") {
      source.line(`let A${i} = -1, Z${i} = 0;`);
    } else if (isNoted(form)) {
      source.line(`let T${i} = 0;`);
    } else if (field.valueBit < 0) {
      source.line(`i32[q + ${field.word}] = 0;`);
      if (isWide(field.value.kind)) source.line(`i32[q + ${field.word + 1}] = 0;`);
    }
  });
}

/** What happens when a field is met: numbers are stored, of others it is noted where they are. */
function emitCase(source: Source, layout: MessageLayout, wire: WireField, i: number): void {
  const { field, form } = wire;
  const single = tagOf(field.number, wireTypeOf(form)) | 0;
  if (field.shape !== "single") {
    const isPackable = field.shape === "list" && canBePacked(form);
    const packed = tagOf(field.number, WireType.DELIMITED) | 0;
    source.line(`case ${field.shape === "map" ? packed : single}:`);
    if (field.shape === "list" && form === "group") {
      source.line("group(at, end, tag);");
      source.line("at = next;");
    } else if (isPackable) {
      source.line(`at = ${skipOf(wireTypeOf(form))};`);
    } else {
      source.line("at = delimited(at, end);");
    }
    source.line(`T${i} = note(T${i}, from, at, tag);`);
    if (!isPackable) source.line(`C${i}++;`);
    source.line("break;");
    if (!isPackable) return;
    source.line(`case ${packed}:`);
    source.line("at = delimited(at, end);");
    source.line(`T${i} = note(T${i}, from, at, tag);`);
    source.line("break;");
    return;
  }
  source.line(`case ${single}:`);
  if (field.oneof !== null) emitOneofCase(source, layout, wire);
  else if (isNumber(form)) emitNumberCase(source, wire);
  else if (form === "string" || form === "bytes") {
    source.line(`Z${i} = at = delimited(at, end);`);
    source.line(`A${i} = next;`);
    if (field.presenceBit >= 0) source.line(setBit(field.presenceBit));
  } else {
    emitRange(source, form, `T${i}`, `T${i}`);
  }
  source.line("break;");
}

function skipOf(wireType: number): string {
  if (wireType === WireType.VARINT) return "skipVarint(at, end)";
  return `skipFixed(at, end, ${wireType === WireType.FIXED64 ? 8 : 4})`;
}

/** Notes where the content of a message is, behind what `last` has noted. */
function emitRange(source: Source, form: WireField["form"], target: string, last: string): void {
  if (form === "group") {
    source.line(`${target} = note(${last}, at, group(at, end, tag), -1);`);
    source.line("at = next;");
  } else {
    source.line("at = delimited(at, end);");
    source.line(`${target} = note(${last}, next, at, -1);`);
  }
}

function setBit(bit: number): string {
  return `f${bit >> 5} |= ${(1 << (bit & 31)) | 0};`;
}

function emitNumberCase(source: Source, { field, form }: WireField): void {
  const bit = field.valueBit;
  if (bit >= 0) {
    const [word, mask] = [`f${bit >> 5}`, (1 << (bit & 31)) | 0];
    source.line("varint64(at, end);");
    source.line("at = next;");
    source.line(`${word} = (low | high) !== 0 ? ${word} | ${mask} : ${word} & ${~mask};`);
  } else if (isClosed(field)) {
    source.line("{");
    source.line("const v = varint32(at, end);");
    source.line("at = next;");
    source.line(`if (!isOneOf(${numbersOf(field)}, v)) {`);
    source.line("u = note(u, from, at, 0);");
    source.line("break;");
    source.line("}");
    source.line(`i32[q + ${field.word}] = v;`);
    source.line("}");
  } else {
    readNumber(source, form, `q + ${field.word}`);
  }
  if (field.presenceBit >= 0) source.line(setBit(field.presenceBit));
}

function isClosed({ value }: FieldLayout): boolean {
  return value.enum !== null && !value.enum.open;
}

function numbersOf({ value }: FieldLayout): string {
  return `[${[...new Set(value.enum!.values.map((v) => v.number))].join()}]`;
}

/** The last member of a oneof wins; parts of one message are merged when no other member is between them. */
function emitOneofCase(source: Source, layout: MessageLayout, { field, form }: WireField): void {
  const i = layout.oneofs.indexOf(field.oneof!);
  if (isClosed(field)) {
    source.line("{");
    source.line("const v = varint32(at, end);");
    source.line("at = next;");
    source.line(`if (!isOneOf(${numbersOf(field)}, v)) {`);
    source.line("u = note(u, from, at, 0);");
    source.line("break;");
    source.line("}");
    source.line(`i32[q + ${field.word}] = v; i32[q + ${field.word + 1}] = 0;`);
    source.line("}");
  } else if (isNumber(form)) {
    readNumber(source, form, `q + ${field.word}`);
    if (!isWide(field.value.kind)) source.line(`i32[q + ${field.word + 1}] = 0;`);
  } else if (form === "string" || form === "bytes") {
    source.line(`oz${i} = at = delimited(at, end);`);
    source.line(`oa${i} = next;`);
  } else {
    emitRange(source, form, `ot${i}`, `case${i} === ${field.oneofCase} ? ot${i} : 0`);
  }
  source.line(`case${i} = ${field.oneofCase};`);
}

/** Puts what was noted of a field at the cursor. */
function emitField(
  context: DecodeContext,
  layout: MessageLayout,
  index: number,
  wire: WireField,
  i: number,
): void {
  const { source } = context;
  const { field, form } = wire;
  if (field.shape === "map") {
    emitMap(context, wire, `m${index}_${i}`, `T${i}`, `C${i}`);
  } else if (field.shape === "list") {
    if (canBePacked(form)) emitNumberList(context, wire, `T${i}`);
    else if (isNoted(form)) emitMessageList(context, wire, `T${i}`, `C${i}`);
    else emitElementList(context, wire, `T${i}`, `C${i}`);
  } else if (field.oneof !== null) {
    if (isNumber(form)) return;
    const o = layout.oneofs.indexOf(field.oneof);
    source.line(`if (case${o} === ${field.oneofCase}) {`);
    source.line(`i32[q + ${field.word + 1}] = 0;`);
    emitNotedField(context, wire, `q + ${field.word}`, {
      first: `oa${o}`,
      end: `oz${o}`,
      row: `ot${o}`,
    });
    source.line("}");
  } else if (form === "string" || form === "bytes") {
    source.line(`if (A${i} >= 0) {`);
    emitNotedField(context, wire, `q + ${field.word}`, { first: `A${i}`, end: `Z${i}`, row: "" });
    source.line("} else {");
    putAbsent(source, form, `q + ${field.word}`);
    source.line("}");
  } else if (isNoted(form)) {
    source.line(`if (T${i} !== 0) {`);
    emitChild(context, wire, `q + ${field.word}`, `T${i}`);
    source.line("} else {");
    if (field.presence === "required") source.line(`fail(${Code.REQUIRED}, at);`);
    source.line(`i32[q + ${field.word}] = 0;`);
    source.line("}");
  }
}

function emitEnd(source: Source, layout: MessageLayout): void {
  for (let i = 0; i < layout.flagWords; i++) {
    let required = 0;
    for (const { presence, presenceBit } of layout.fields) {
      if (presence === "required" && presenceBit >> 5 === i) required |= 1 << (presenceBit & 31);
    }
    if (required !== 0) {
      source.line(`if ((f${i} & ${required}) !== ${required}) fail(${Code.REQUIRED}, at);`);
    }
    source.line(`i32[q + ${1 + i}] = f${i};`);
  }
  layout.oneofs.forEach((oneof, i) => {
    source.line(`i32[q + ${oneof.caseWord}] = case${i};`);
  });
  source.line("if (u === 0) i32[q] = 0;");
  source.line("else unknown(q, u);");
  source.line("top = mark;");
  source.line("depth--;");
  source.line("}");
}
