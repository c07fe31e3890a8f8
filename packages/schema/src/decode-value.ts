/** Source text for single values in a generated decoder. */
import type { Closure, Source } from "./source.ts";
import { tagOf, type WireField, type WireForm, wireTypeOf } from "./wire-field.ts";

/** What the parts of a decoder's generator hand on. */
export interface DecodeContext {
  readonly source: Source;
  readonly closure: Closure;
  /** Some type has groups: where they end is kept, message by message. */
  readonly hasGroups: boolean;
}

/** Values that are stored when they are met. */
export function isNumber(form: WireForm): boolean {
  return form !== "string" && form !== "bytes" && !isNoted(form);
}

/** Values of which the tape says where they are. */
export function isNoted(form: WireForm): boolean {
  return form === "message" || form === "group";
}

/** Reads a number at `at` into word `k`, and moves on. */
export function readNumber(source: Source, form: WireForm, k: string): void {
  switch (form) {
    case "fixed32":
      source.line(`i32[${k}] = fixed32(at, end);`);
      source.line("at += 4;");
      return;
    case "fixed64":
      source.line(`i32[${k}] = fixed32(at, end);`);
      source.line(`i32[${k} + 1] = fixed32(at + 4, end);`);
      source.line("at += 8;");
      return;
    case "zigzag32":
      source.line("low = varint32(at, end);");
      source.line(`i32[${k}] = (low >>> 1) ^ -(low & 1);`);
      break;
    case "bool":
      source.line("varint64(at, end);");
      source.line(`i32[${k}] = (low | high) !== 0 ? 1 : 0;`);
      break;
    case "varint64":
      source.line("varint64(at, end);");
      source.line(`i32[${k}] = low; i32[${k} + 1] = high;`);
      break;
    case "zigzag64":
      source.line("varint64(at, end);");
      source.line(`i32[${k}] = ((low >>> 1) | (high << 31)) ^ -(low & 1);`);
      source.line(`i32[${k} + 1] = (high >>> 1) ^ -(low & 1);`);
      break;
    default:
      source.line(`i32[${k}] = varint32(at, end);`);
  }
  source.line("at = next;");
}

/** Where a value was seen: text by its two ends, a message by a row of the tape. */
export interface Noted {
  readonly first: string;
  readonly end: string;
  readonly row: string;
}

/** Puts a noted value into the words at `k`. */
export function emitNotedField(
  context: DecodeContext,
  wire: WireField,
  k: string,
  { first, end, row }: Noted,
): void {
  const { source } = context;
  if (wire.form === "string") {
    source.line(`string(${k}, ${first}, ${end} - ${first}, ${wire.isTextChecked});`);
  } else if (wire.form === "bytes") {
    source.line(`bytes(${k}, ${first}, ${end} - ${first});`);
  } else {
    emitChild(context, wire, k, row);
  }
}

/** Absent strings and bytes refer to where they would be, as the writer has it. */
export function putAbsent(source: Source, form: WireForm, k: string): void {
  const place = form === "string" ? "textBytes" : "cursor - base";
  source.line(`i32[${k}] = ${place}; i32[${k} + 1] = 0;`);
}

/** Puts a message, out of all parts on the ring of `row`, behind the reference in word `k`. */
export function emitChild(context: DecodeContext, wire: WireField, k: string, row: string): void {
  const { source } = context;
  source.line("{");
  source.line("const r = cursor;");
  source.line(`cursor += ${wire.field.value.message!.bytes};`);
  source.line(`i32[${k}] = r - base;`);
  source.line("if (cursor <= limit) {");
  source.line(`const h = tape[${row} + 3];`);
  emitDecode(context, wire, "r", "tape[h]", "tape[h + 1]", "h", row);
  source.line("}");
  source.line("}");
}

/** Calls the decoder of a message type. */
export function emitDecode(
  context: DecodeContext,
  wire: WireField,
  position: string,
  start: string,
  end: string,
  head = "0",
  last = "0",
): void {
  const { source, closure } = context;
  const type = closure.indexOf(wire.field.value.message!);
  const call = `d${type}(${position}, ${start}, ${end}, ${head}, ${last});`;
  // A group is part of the message around it, and the ends of its groups are known.
  const isApart = wire.form === "message";
  if (isApart) openMessage(context);
  source.line(call);
  if (isApart) closeMessage(context);
}

/** Around what goes through another message than the one whose groups are known. */
export function openMessage({ source, hasGroups }: DecodeContext): void {
  if (!hasGroups) return;
  source.line("const g = endsFrom;");
  source.line("endsFrom = endsTop;");
}

export function closeMessage({ source, hasGroups }: DecodeContext): void {
  if (!hasGroups) return;
  source.line("endsTop = endsFrom;");
  source.line("endsFrom = g;");
}

/**
 * Opens the loops over all occurrences of a repeated field, in their order: `a` is behind a tag, and the
 * body moves it on to `z`, which it has to set. `closeOccurrences` closes them.
 */
export function openOccurrences(source: Source, row: string): void {
  source.line(`let o = ${row};`);
  source.line("do {");
  source.line("o = tape[o + 3];");
  source.line("const stop = tape[o + 1];");
  source.line("for (let at = tape[o]; at < stop; ) {");
  source.line("at = pastTag(at);");
}

export function closeOccurrences(source: Source, row: string): void {
  source.line("}");
  source.line(`} while (o !== ${row});`);
}

/** The tag of a value, as generated code compares it. */
export function singleTag({ field, form }: WireField): number {
  return tagOf(field.number, wireTypeOf(form)) | 0;
}
