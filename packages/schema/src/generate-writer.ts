/**
 * Generates the writer of a message type: one function per type that lays a message out at the cursor.
 *
 * The walk goes by field number and depth first, as the validator's does. When the block is full the cursor
 * runs on beyond the limit while nothing more is written, so that nobody has to look at return values
 * and the caller learns how much is wanted. Wrong values throw `bad`; `explain-value.ts` finds out which.
 */

import {
  elementBytes,
  type FieldLayout,
  isPair,
  isWide,
  type MessageLayout,
  type ValueLayout,
} from "./layout.ts";
import { messageDepthMax, segmentBytesMin } from "./limits.ts";
import { type Closure, member, quote, Source } from "./source.ts";
import { writerPrelude } from "./writer-prelude.ts";

/** Up to this many bytes of text are written character by character. */
const firstBytesMax = 48;

/** Source text of a factory that takes `rt` and returns the `write` function of the root type. */
export function generateWriter(closure: Closure): string {
  const source = new Source();
  source.line(`const SEGMENT = ${segmentBytesMin}, FIRST = ${firstBytesMax};`);
  source.line(`const ROOT = ${closure.layouts[0]!.bytes};`);
  source.line(writerPrelude);
  closure.layouts.forEach((layout, index) => {
    emitMessage(source, closure, layout, index);
  });
  source.line("return write;");
  return source.toString();
}

function emitMessage(source: Source, closure: Closure, layout: MessageLayout, index: number): void {
  const isCounted = closure.isRecursive(layout);
  source.line(`function w${index}(m, p) {`);
  source.line(`if (m.$typeName !== ${quote(layout.typeName)}) throw bad;`);
  if (isCounted) source.line(`if (++depth > ${messageDepthMax}) throw bad;`);
  source.line("const q = p >> 2;");
  for (let i = 0; i < layout.flagWords; i++) source.line(`let f${i} = 0;`);
  for (const word of layout.paddingWords) source.line(`i32[q + ${word}] = 0;`);
  const hasClosed = layout.fields.some(isClosedSingle);
  if (hasClosed) source.line("let extra = null;");
  layout.oneofs.forEach((oneof, i) => {
    source.line(`const o${i} = ${member("m", oneof.localName)};`);
    source.line(`const c${i} = o${i}.case;`);
    source.line(`let d${i} = 0;`);
    source.line(`i32[q + ${oneof.valueWord}] = 0; i32[q + ${oneof.valueWord + 1}] = 0;`);
  });
  for (const field of layout.fields) emitField(source, closure, layout, field);
  layout.oneofs.forEach((oneof, i) => {
    source.line(`if (c${i} !== undefined && d${i} === 0) throw bad;`);
    source.line(`i32[q + ${oneof.caseWord}] = d${i} > 0 ? d${i} : 0;`);
  });
  for (let i = 0; i < layout.flagWords; i++) source.line(`i32[q + ${1 + i}] = f${i};`);
  const unknown = hasClosed ? "joined(extra, m.$unknown)" : "m.$unknown";
  source.line(`const u = ${unknown};`);
  source.line("if (u === undefined || u.length === 0) i32[q] = 0; else unknown(q, u);");
  if (isCounted) source.line("depth--;");
  source.line("}");
}

function emitField(
  source: Source,
  closure: Closure,
  layout: MessageLayout,
  field: FieldLayout,
): void {
  if (field.shape === "list") emitList(source, closure, field);
  else if (field.shape === "map") emitMap(source, closure, field);
  else if (field.oneof !== null) emitOneofMember(source, closure, layout, field);
  else emitSingle(source, closure, layout, field);
}

function isClosedSingle(field: FieldLayout): boolean {
  return field.shape === "single" && field.value.enum !== null && !field.value.enum.open;
}

/** An expression that is true for the values of a closed enum. */
function inEnum(value: ValueLayout, expression: string): string {
  const numbers = [...new Set(value.enum!.values.map((v) => v.number))].sort((a, b) => a - b);
  const first = numbers[0]!;
  const last = numbers[numbers.length - 1]!;
  if (last - first === numbers.length - 1) {
    return `(${expression} >= ${first} && ${expression} <= ${last})`;
  }
  return `isOneOf([${numbers.join()}], ${expression})`;
}

function emitOneofMember(
  source: Source,
  closure: Closure,
  layout: MessageLayout,
  field: FieldLayout,
): void {
  const i = layout.oneofs.indexOf(field.oneof!);
  source.line(`if (c${i} === ${quote(field.localName)}) {`);
  source.line(`const v = o${i}.value;`);
  source.line(`d${i} = ${field.oneofCase};`);
  if (isClosedSingle(field)) {
    source.line("if ((v | 0) !== v) throw bad;");
    source.line(`if (${inEnum(field.value, "v")}) i32[q + ${field.word}] = v;`);
    source.line(
      `else { d${i} = -1; extra = (extra ?? []).concat(unknownEnum(${field.number}, v)); }`,
    );
  } else {
    emitValue(source, closure, field.value, "v", "q", field.word);
  }
  source.line("}");
}

function emitSingle(
  source: Source,
  closure: Closure,
  layout: MessageLayout,
  field: FieldLayout,
): void {
  const { value, word } = field;
  source.line("{");
  source.line(`const v = ${member("m", field.localName)};`);
  const bit = (n: number): string => `f${n >> 5} |= ${(1 << (n & 31)) | 0};`;
  const isOptional = field.presence !== "implicit";
  if (isOptional) {
    const own = layout.usesPrototype && value.kind !== "message";
    const isOwn = own ? ` && hasOwn(m, ${quote(field.localName)})` : "";
    source.line(`if (v !== undefined${isOwn}) {`);
    if (field.presenceBit >= 0) source.line(bit(field.presenceBit));
  }
  if (value.kind === "bool") {
    source.line(`if (v === true) ${bit(field.valueBit)}`);
    source.line("else if (v !== false) throw bad;");
  } else if (isClosedSingle(field)) {
    source.line("if ((v | 0) !== v) throw bad;");
    source.line(`if (${inEnum(value, "v")}) i32[q + ${word}] = v;`);
    emitUnknownEnum(source, field);
  } else {
    emitValue(source, closure, value, "v", "q", word);
  }
  if (isOptional) {
    source.line("} else {");
    if (field.presence === "required") source.line("throw bad;");
    else emitAbsent(source, value, word);
    source.line("}");
  }
  source.line("}");
}

/** A closed enum keeps values that it does not have among the unknown fields, as on protobuf's wire. */
function emitUnknownEnum(source: Source, field: FieldLayout): void {
  const bit = field.presenceBit;
  if (field.presence === "required") {
    source.line("else throw bad;");
    return;
  }
  const unset = bit >= 0 ? `f${bit >> 5} &= ${~(1 << (bit & 31))};` : "";
  source.line("else {");
  source.line(`i32[q + ${field.word}] = 0; ${unset}`);
  source.line(`extra = (extra ?? []).concat(unknownEnum(${field.number}, v));`);
  source.line("}");
}

/** Absent strings and bytes refer to where they would be: the validator need not ask for presence. */
function emitAbsent(source: Source, value: ValueLayout, word: number): void {
  if (value.kind === "bool") return;
  if (value.kind === "string") source.line(`i32[q + ${word}] = at; i32[q + ${word + 1}] = 0;`);
  else if (value.kind === "bytes") {
    source.line(`i32[q + ${word}] = cursor - base; i32[q + ${word + 1}] = 0;`);
  } else {
    source.line(`i32[q + ${word}] = 0;`);
    if (isWide(value.kind)) source.line(`i32[q + ${word + 1}] = 0;`);
  }
}

/** Writes a value into words `row + word`; `row` is a word index. Bools take a word here. */
function emitValue(
  source: Source,
  closure: Closure,
  value: ValueLayout,
  v: string,
  row: string,
  word: number,
): void {
  const at = word === 0 ? row : `${row} + ${word}`;
  switch (value.kind) {
    case "bool":
      source.line(`i32[${at}] = ${v} === true ? 1 : ${v} === false ? 0 : notBool();`);
      return;
    case "i32":
    case "enum":
      source.line(`if ((${v} | 0) !== ${v}) throw bad;`);
      source.line(`i32[${at}] = ${v};`);
      return;
    case "u32":
      source.line(`if ((${v} >>> 0) !== ${v}) throw bad;`);
      source.line(`u32[${at}] = ${v};`);
      return;
    case "f32":
      source.line(`f32[${at}] = float(${v});`);
      return;
    case "f64":
      source.line(`if (typeof ${v} !== "number") throw bad;`);
      source.line(`f64[(${at}) >> 1] = ${v};`);
      return;
    case "i64":
      source.line(`i64[(${at}) >> 1] = signed(${v});`);
      return;
    case "u64":
      source.line(`u64[(${at}) >> 1] = unsigned(${v});`);
      return;
    case "string":
      source.line(`string(${at}, ${v});`);
      return;
    case "bytes":
      source.line(`bytes(${at}, ${v});`);
      return;
    case "message":
      emitMessageValue(source, closure, value, v, at);
  }
}

function emitMessageValue(
  source: Source,
  closure: Closure,
  value: ValueLayout,
  v: string,
  at: string,
): void {
  const child = value.message!;
  source.line("{");
  source.line("const r = cursor;");
  source.line(`cursor += ${child.bytes};`);
  source.line(`i32[${at}] = r - base;`);
  source.line(`if (cursor <= limit) w${closure.indexOf(child)}(${unboxed(value, v)}, r);`);
  source.line("}");
}

/** The message for what protobuf-es shows in its place. */
function unboxed(value: ValueLayout, v: string): string {
  if (value.form === "struct") return `structFromJson(${v})`;
  if (value.form === "plain") return v;
  return `{ $typeName: ${quote(value.message!.typeName)}, value: ${v} }`;
}

function emitList(source: Source, closure: Closure, field: FieldLayout): void {
  const { value, word } = field;
  const size = elementBytes(value);
  source.line("{");
  source.line(`const a = ${member("m", field.localName)};`);
  source.line("if (!isArray(a)) throw bad;");
  source.line("const n = a.length, r = cursor;");
  source.line(`i32[q + ${word}] = r - base; i32[q + ${word + 1}] = n;`);
  source.line("if (n !== 0) {");
  source.line(size % 8 === 0 ? `cursor += n * ${size};` : `cursor += padded(n * ${size});`);
  source.line("if (cursor <= limit) {");
  if (size % 8 !== 0) source.line("i32[(cursor >> 2) - 2] = 0; i32[(cursor >> 2) - 1] = 0;");
  source.line("for (let i = 0; i < n; i++) {");
  source.line("const v = a[i];");
  if (value.kind === "message") {
    const call = `w${closure.indexOf(value.message!)}(${unboxed(value, "v")}, r + i * ${size});`;
    source.line(call);
  } else if (value.kind === "bool") {
    source.line("u8[r + i] = v === true ? 1 : v === false ? 0 : notBool();");
  } else {
    source.line(`const k = (r >> 2) + i${size === 8 ? " * 2" : ""};`);
    emitValue(source, closure, value, "v", "k", 0);
  }
  for (let i = 0; i < 4; i++) source.line("}");
}

function emitMap(source: Source, closure: Closure, field: FieldLayout): void {
  const { value, word, entry } = field;
  const key = field.key!;
  source.line("{");
  source.line(`const o = ${member("m", field.localName)};`);
  source.line('if (typeof o !== "object" || o === null || isArray(o)) throw bad;');
  source.line("const a = keys(o), n = a.length, r = cursor;");
  source.line(`i32[q + ${word}] = r - base; i32[q + ${word + 1}] = n;`);
  source.line("if (n !== 0) {");
  source.line(`cursor += n * ${entry.bytes};`);
  source.line("if (cursor <= limit) {");
  source.line("for (let i = 0; i < n; i++) {");
  source.line("const s = a[i], v = o[s];");
  source.line(`const k = (r + i * ${entry.bytes}) >> 2;`);
  for (let i = 0; i < entry.bytes / 4; i++) {
    if (!covers(key, entry.key, i) && !covers(value, entry.value, i)) {
      source.line(`i32[k + ${i}] = 0;`);
    }
  }
  source.line(`const x = ${keyFrom(key)};`);
  emitValue(source, closure, key, "x", "k", entry.key);
  emitValue(source, closure, value, "v", "k", entry.value);
  source.line("}");
  source.line("}");
  source.line("}");
  source.line("}");
}

function covers(value: ValueLayout, first: number, word: number): boolean {
  const words = isPair(value.kind) || isWide(value.kind) ? 2 : 1;
  return word >= first && word < first + words;
}

/** Map keys are property names in JavaScript. */
function keyFrom(key: ValueLayout): string {
  switch (key.kind) {
    case "string":
      return "s";
    case "bool":
      return 's === "true" ? true : s === "false" ? false : undefined';
    case "i64":
    case "u64":
      return "bigKey(s)";
    default:
      return "numberKey(s)";
  }
}
