/** Source text for lists in a generated decoder. */
import {
  closeOccurrences,
  type DecodeContext,
  emitDecode,
  openOccurrences,
  readNumber,
  singleTag,
} from "./decode-value.ts";
import { elementBytes } from "./layout.ts";
import { ProtobufCode as Code } from "./protobuf-reasons.ts";
import type { Source } from "./source.ts";
import { tagOf, type WireField, WireType } from "./wire-field.ts";

/** A list of messages: structs side by side, then what each refers to. */
export function emitMessageList(
  context: DecodeContext,
  wire: WireField,
  row: string,
  count: string,
): void {
  const { source } = context;
  const size = wire.field.value.message!.bytes;
  openElements(source, wire, size, row, count);
  source.line("let s = r;");
  openOccurrences(source, row);
  if (wire.form === "group") {
    source.line(`const z = group(at, stop, ${singleTag(wire)}), behind = next;`);
    emitDecode(context, wire, "s", "at", "z");
    source.line("at = behind;");
  } else {
    source.line("const z = delimited(at, stop);");
    emitDecode(context, wire, "s", "next", "z");
    source.line("at = z;");
  }
  source.line(`s += ${size};`);
  closeOccurrences(source, row);
  closeElements(source);
}

/** A list of strings or bytes: pairs side by side. */
export function emitElementList(
  { source }: DecodeContext,
  wire: WireField,
  row: string,
  count: string,
): void {
  openElements(source, wire, 8, row, count);
  source.line("let k = r >> 2;");
  openOccurrences(source, row);
  source.line("const z = delimited(at, stop);");
  source.line(
    wire.form === "string"
      ? `string(k, next, z - next, ${wire.isTextChecked});`
      : "bytes(k, next, z - next);",
  );
  source.line("at = z;");
  source.line("k += 2;");
  closeOccurrences(source, row);
  closeElements(source);
}

function openElements(
  source: Source,
  { field }: WireField,
  size: number,
  row: string,
  count: string,
): void {
  source.line("{");
  source.line("const r = cursor;");
  source.line(`i32[q + ${field.word}] = r - base; i32[q + ${field.word + 1}] = ${count};`);
  source.line(`cursor += ${count} * ${size};`);
  source.line(`if (${row} !== 0 && cursor <= limit) {`);
}

function closeElements(source: Source): void {
  source.line("}");
  source.line("}");
}

/**
 * A list of numbers, packed or one by one. How many there are shows when they are read: those behind the
 * end of the block are counted only.
 */
export function emitNumberList({ source }: DecodeContext, wire: WireField, row: string): void {
  const { field } = wire;
  const size = elementBytes(field.value);
  source.line("{");
  source.line("const r = cursor;");
  source.line("let n = 0;");
  source.line(`if (${row} !== 0) {`);
  source.line(`const room = ((limit - r) / ${size}) | 0;`);
  openOccurrences(source, row);
  const packed = tagOf(field.number, WireType.DELIMITED) | 0;
  source.line(`if (tape[o + 2] === ${packed}) {`);
  source.line("const end = delimited(at, stop);");
  source.line("at = next;");
  emitPacked(source, wire, size);
  source.line("} else {");
  source.line("const end = stop;");
  emitNumber(source, wire, size);
  source.line("}");
  closeOccurrences(source, row);
  source.line("}");
  source.line(`i32[q + ${field.word}] = r - base; i32[q + ${field.word + 1}] = n;`);
  source.line(`cursor += padded(n * ${size});`);
  if (size < 8) {
    source.line("if (cursor <= limit) {");
    source.line(
      size === 4
        ? "if ((n & 1) !== 0) i32[(r >> 2) + n] = 0;"
        : "for (let i = r + n; i < cursor; i++) u8[i] = 0;",
    );
    source.line("}");
  }
  source.line("}");
}

function emitPacked(source: Source, wire: WireField, size: number): void {
  if (wire.form !== "fixed32" && wire.form !== "fixed64") {
    source.line("while (at < end) {");
    emitNumber(source, wire, size);
    source.line("}");
    return;
  }
  // As it lies in memory.
  source.line("const bytes = end - at;");
  source.line(`if (bytes % ${size} !== 0) fail(${Code.PACKED}, at);`);
  source.line(`const more = bytes / ${size};`);
  source.line(`if (n + more <= room) copy(src, at, r + n * ${size}, bytes);`);
  source.line("n += more;");
  source.line("at = end;");
}

/** Reads element `n` of the list, or passes it when there is no room. */
function emitNumber(source: Source, { form }: WireField, size: number): void {
  source.line("if (n < room) {");
  if (form === "bool") {
    source.line("varint64(at, end);");
    source.line("u8[r + n] = (low | high) !== 0 ? 1 : 0;");
    source.line("at = next;");
  } else {
    readNumber(source, form, `(r >> 2) + n${size === 8 ? " * 2" : ""}`);
  }
  source.line("} else {");
  if (form === "fixed32" || form === "fixed64") source.line(`at = skipFixed(at, end, ${size});`);
  else source.line("at = skipVarint(at, end);");
  source.line("}");
  source.line("n++;");
}
