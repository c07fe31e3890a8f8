/** Source text for maps in a generated decoder. */
import {
  closeMessage,
  closeOccurrences,
  type DecodeContext,
  emitNotedField,
  isNumber,
  openMessage,
  openOccurrences,
  putAbsent,
  readNumber,
} from "./decode-value.ts";
import type { Source } from "./source.ts";
import { tagOf, type WireField, wireTypeOf } from "./wire-field.ts";

/** A map: its entries side by side, then what each refers to. */
export function emitMap(
  context: DecodeContext,
  { field }: WireField,
  entry: string,
  row: string,
  count: string,
): void {
  const { source } = context;
  source.line("{");
  source.line("const r = cursor;");
  source.line(`i32[q + ${field.word}] = r - base; i32[q + ${field.word + 1}] = ${count};`);
  source.line(`cursor += ${count} * ${field.entry.bytes};`);
  source.line(`if (${row} !== 0 && cursor <= limit) {`);
  source.line("let k = r >> 2;");
  openOccurrences(source, row);
  source.line("const z = delimited(at, stop);");
  openMessage(context);
  source.line(`${entry}(k, next, z);`);
  closeMessage(context);
  source.line("at = z;");
  source.line(`k += ${field.entry.bytes / 4};`);
  closeOccurrences(source, row);
  source.line("}");
  source.line("}");
}

/** The function for one entry: key and value may come in any order, several times, or not at all. */
export function emitEntry(context: DecodeContext, wire: WireField, name: string): void {
  const { source } = context;
  const { field, form } = wire;
  const keyWire: WireField = { ...wire, form: wire.keyForm! };
  source.line(`function ${name}(q, at, end) {`);
  source.line("const mark = top;");
  for (let i = 0; i < field.entry.bytes / 4; i++) source.line(`i32[q + ${i}] = 0;`);
  const enumDefault = field.value.enum?.values[0]?.number ?? 0;
  if (enumDefault !== 0) source.line(`i32[q + ${field.entry.value}] = ${enumDefault};`);
  source.line("let a1 = -1, z1 = 0, a2 = -1, z2 = 0, t2 = 0;");
  source.line("while (at < end) {");
  source.line("const from = at;");
  source.line("let tag = src[at++];");
  source.line("if (tag > 127) {");
  source.line("tag = longTag(from, end);");
  source.line("at = next;");
  source.line("}");
  source.line("switch (tag) {");
  emitCase(source, keyWire, 1, field.entry.key);
  emitCase(source, wire, 2, field.entry.value);
  source.line("default:");
  source.line("at = skip(from, at, end, tag);");
  source.line("}");
  source.line("}");
  emitPart(context, keyWire, 1, field.entry.key);
  if (!isNumber(form) && form !== "string" && form !== "bytes") {
    // An entry without a value has an empty message.
    source.line("if (t2 === 0) t2 = note(0, end, end, -1);");
    emitNotedField(context, wire, `q + ${field.entry.value}`, { first: "", end: "", row: "t2" });
  } else {
    emitPart(context, wire, 2, field.entry.value);
  }
  source.line("top = mark;");
  source.line("}");
}

function emitCase(source: Source, { form }: WireField, part: 1 | 2, word: number): void {
  source.line(`case ${tagOf(part, wireTypeOf(form))}:`);
  if (isNumber(form)) {
    readNumber(source, form, `q + ${word}`);
  } else {
    source.line("at = delimited(at, end);");
    if (form === "message") {
      source.line("t2 = note(t2, next, at, -1);");
    } else {
      source.line(`a${part} = next;`);
      source.line(`z${part} = at;`);
    }
  }
  source.line("break;");
}

function emitPart(context: DecodeContext, wire: WireField, part: 1 | 2, word: number): void {
  const { source } = context;
  if (isNumber(wire.form)) return;
  source.line(`if (a${part} >= 0) {`);
  const noted = { first: `a${part}`, end: `z${part}`, row: "" };
  emitNotedField(context, wire, `q + ${word}`, noted);
  source.line("} else {");
  putAbsent(source, wire.form, `q + ${word}`);
  source.line("}");
}
