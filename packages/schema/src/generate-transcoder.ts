/**
 * Generates the transcoder between two versions of a type: one function per pair of types that copies a
 * struct of the source into a struct of the target, field by field, in the target's order.
 *
 * Numbers are moved as 32-bit words, without making bigints. Strings are noted as spans of the source and
 * copied at the end, when the place of the target's string area is known; neighbours become one span.
 *
 * The source was validated, but its owner may still be able to write to it: counts are taken as unsigned,
 * depth is limited, and nothing is written outside of the target block whatever the source says.
 */
import { flagOf, isSet } from "./field-presence.ts";
import { elementBytes, type FieldLayout, isPair, isWide, type ValueLayout } from "./layout.ts";
import type { LayoutPair, PairClosure } from "./layout-pair.ts";
import { messageDepthMax } from "./limits.ts";
import { Source } from "./source.ts";
import { transcoderPrelude } from "./transcoder-prelude.ts";

/** Where a value lies. Rows are word indexes, positions are bytes; both absolute. */
type Place =
  | { readonly at: "slot"; readonly row: string; readonly word: number }
  | { readonly at: "flag"; readonly bit: number }
  | { readonly at: "byte"; readonly position: string }
  | { readonly at: "struct"; readonly position: string };

/** Source text of a factory that takes `rt` and returns the `transcode` function. */
export function generateTranscoder(closure: PairClosure): string {
  const source = new Source();
  source.line(`const ROOT = ${closure.pairs[0]!.target.bytes};`);
  source.line(transcoderPrelude);
  closure.pairs.forEach((pair, index) => {
    emitPair(source, closure, pair, index);
  });
  source.line("return transcode;");
  return source.toString();
}

function emitPair(source: Source, closure: PairClosure, pair: LayoutPair, index: number): void {
  const { target } = pair;
  source.line(`const known${index} = new Set([${target.fields.map((f) => f.number).join()}]);`);
  source.line(`function t${index}(s, t) {`);
  source.line(`if (++depth > ${messageDepthMax}) failed = true;`);
  source.line("if (failed) return;");
  source.line("const p = s >> 2, q = t >> 2;");
  source.line("let extra = null;");
  for (let i = 0; i < target.flagWords; i++) source.line(`let f${i} = 0;`);
  for (const word of target.paddingWords) source.line(`ti32[q + ${word}] = 0;`);
  target.oneofs.forEach((oneof, i) => {
    source.line(`let d${i} = 0;`);
    // Fields that were apart may meet in a oneof now: the last one on the wire wins.
    for (const match of pair.matches) {
      if (match.target.oneof !== oneof || match.source === null) continue;
      source.line(`if (${isSet(match.source, "si32", "p")}) d${i} = ${match.target.oneofCase};`);
    }
    source.line(`ti32[q + ${oneof.valueWord}] = 0; ti32[q + ${oneof.valueWord + 1}] = 0;`);
  });
  for (const match of pair.matches) emitField(source, closure, pair, match.target, match.source);
  target.oneofs.forEach((oneof, i) => {
    source.line(`ti32[q + ${oneof.caseWord}] = d${i};`);
  });
  for (let i = 0; i < target.flagWords; i++) source.line(`ti32[q + ${1 + i}] = f${i};`);
  source.line("if (si32[p] === 0 && extra === null) ti32[q] = 0;");
  source.line(`else unknown(q, si32[p], known${index}, extra);`);
  source.line("depth--;");
  source.line("}");
}

function emitField(
  source: Source,
  closure: PairClosure,
  pair: LayoutPair,
  target: FieldLayout,
  from: FieldLayout | null,
): void {
  if (target.oneof !== null) {
    if (from === null) return;
    source.line(`if (d${pair.target.oneofs.indexOf(target.oneof)} === ${target.oneofCase}) {`);
    emitSingle(source, closure, pair, target, from);
    source.line("}");
  } else if (from === null) {
    emitAbsent(source, target);
  } else if (target.shape === "list" && from.shape === "list") {
    emitList(source, closure, target, from);
  } else if (target.shape === "map") {
    emitMap(source, closure, target, from);
  } else {
    source.line(`if (${isSet(from, "si32", "p")}) {`);
    if (target.shape === "list") emitOneElement(source, closure, target, from);
    else emitSingle(source, closure, pair, target, from);
    source.line("} else {");
    if (target.presence === "required") source.line("failed = true;");
    emitAbsent(source, target);
    source.line("}");
  }
}

function emitAbsent(source: Source, field: FieldLayout): void {
  const { word, value } = field;
  if (field.valueBit >= 0) return;
  if (field.shape !== "single" || value.kind === "bytes") {
    source.line(`ti32[q + ${word}] = cursor - base; ti32[q + ${word + 1}] = 0;`);
  } else if (value.kind === "string") {
    source.line(`ti32[q + ${word}] = at; ti32[q + ${word + 1}] = 0;`);
  } else {
    source.line(`ti32[q + ${word}] = 0;`);
    if (isWide(value.kind)) source.line(`ti32[q + ${word + 1}] = 0;`);
  }
}

/** Into a singular field, from one or from the last of a list. */
function emitSingle(
  source: Source,
  closure: PairClosure,
  pair: LayoutPair,
  target: FieldLayout,
  from: FieldLayout,
): void {
  if (from.shape === "list") {
    source.line(`const i = si32[p + ${from.word + 1}] - 1;`);
    source.line(`const b = start + si32[p + ${from.word}];`);
  }
  const place = sourcePlace(from);
  const slot: Place =
    target.valueBit >= 0
      ? { at: "flag", bit: target.valueBit }
      : { at: "slot", row: "q", word: target.word };
  const bit = target.presenceBit;
  const set = bit >= 0 ? `f${bit >> 5} |= ${1 << (bit & 31)};` : "";
  const closed = target.value.enum !== null && !target.value.enum.open ? target.value.enum : null;
  if (closed === null) {
    if (set !== "") source.line(set);
    emitValue(source, closure, target.value, slot, from.value, place);
    return;
  }
  const numbers = [...new Set(closed.values.map((v) => v.number))];
  source.line(`const n = ${lowWord(place)};`);
  source.line(`if (isOneOf([${numbers.join()}], n)) {`);
  source.line(`${set} ti32[q + ${target.word}] = n;`);
  source.line("} else {");
  if (target.presence === "required") source.line("failed = true;");
  if (target.oneof !== null) source.line(`d${pair.target.oneofs.indexOf(target.oneof)} = 0;`);
  source.line(`ti32[q + ${target.word}] = 0;`);
  source.line(`extra = (extra ?? []).concat(unknownEnum(${target.number}, n));`);
  source.line("}");
}

/** The place of a single value, or of element `i` of a list at `b`. */
function sourcePlace(from: FieldLayout): Place {
  if (from.shape === "list") return elementPlace(from.value, "b", "i");
  if (from.valueBit >= 0) return { at: "flag", bit: from.valueBit };
  return { at: "slot", row: "p", word: from.word };
}

function elementPlace(value: ValueLayout, list: string, i: string): Place {
  const size = elementBytes(value);
  if (value.kind === "message") return { at: "struct", position: `${list} + ${i} * ${size}` };
  if (value.kind === "bool") return { at: "byte", position: `${list} + ${i}` };
  return { at: "slot", row: `(${list} >> 2) + ${i} * ${size / 4}`, word: 0 };
}

function openList(source: Source, target: FieldLayout, count: string): void {
  const size = elementBytes(target.value);
  source.line(`const n = ${count}, r = cursor;`);
  source.line(`ti32[q + ${target.word}] = r - base; ti32[q + ${target.word + 1}] = n;`);
  source.line("if (n !== 0) {");
  source.line(size % 8 === 0 ? `cursor += n * ${size};` : `cursor += padded(n * ${size});`);
  source.line("if (cursor <= limit) {");
  if (size % 8 !== 0) source.line("ti32[(cursor >> 2) - 2] = 0; ti32[(cursor >> 2) - 1] = 0;");
}

function emitOneElement(
  source: Source,
  closure: PairClosure,
  target: FieldLayout,
  from: FieldLayout,
): void {
  openList(source, target, "1");
  const place = elementPlace(target.value, "r", "0");
  emitValue(source, closure, target.value, place, from.value, sourcePlace(from));
  source.line("}");
  source.line("}");
}

function emitList(
  source: Source,
  closure: PairClosure,
  target: FieldLayout,
  from: FieldLayout,
): void {
  source.line("{");
  openList(source, target, `si32[p + ${from.word + 1}] >>> 0`);
  source.line(`const b = start + si32[p + ${from.word}];`);
  source.line("for (let i = 0; i < n; i++) {");
  const place = elementPlace(target.value, "r", "i");
  emitValue(source, closure, target.value, place, from.value, sourcePlace(from));
  for (let i = 0; i < 4; i++) source.line("}");
}

function emitMap(
  source: Source,
  closure: PairClosure,
  target: FieldLayout,
  from: FieldLayout,
): void {
  const { entry, value, key } = target;
  source.line("{");
  source.line(`const n = si32[p + ${from.word + 1}] >>> 0, r = cursor;`);
  source.line(`const b = start + si32[p + ${from.word}];`);
  source.line(`ti32[q + ${target.word}] = r - base; ti32[q + ${target.word + 1}] = n;`);
  source.line(`cursor += n * ${entry.bytes};`);
  source.line("if (cursor <= limit) {");
  source.line("for (let i = 0; i < n; i++) {");
  source.line(`const k = (r + i * ${entry.bytes}) >> 2, j = (b + i * ${from.entry.bytes}) >> 2;`);
  for (let i = 0; i < entry.bytes / 4; i++) source.line(`ti32[k + ${i}] = 0;`);
  const into = (word: number): Place => ({ at: "slot", row: "k", word });
  const out = (word: number): Place => ({ at: "slot", row: "j", word });
  emitValue(source, closure, key!, into(entry.key), from.key!, out(from.entry.key));
  emitValue(source, closure, value, into(entry.value), from.value, out(from.entry.value));
  for (let i = 0; i < 3; i++) source.line("}");
}

function emitValue(
  source: Source,
  closure: PairClosure,
  value: ValueLayout,
  place: Place,
  from: ValueLayout,
  fromPlace: Place,
): void {
  if (value.kind === "message") {
    emitMessage(source, closure, value, place, from, fromPlace);
  } else if (isPair(value.kind)) {
    const call = from.kind === value.kind ? value.kind : `${from.kind}To_${value.kind}`;
    source.line(`${call}(${slotIndex(place)}, ${slotIndex(fromPlace)});`);
  } else if (value.kind === "bool") {
    const high = isWide(from.kind) ? ` | ${highWord(from, fromPlace)}` : "";
    const isTrue = `(${lowWord(fromPlace)}${high}) !== 0`;
    if (place.at === "flag") {
      source.line(`if (${isTrue}) f${place.bit >> 5} |= ${1 << (place.bit & 31)};`);
    } else if (place.at === "byte") {
      source.line(`tu8[${place.position}] = ${isTrue} ? 1 : 0;`);
    } else {
      source.line(`ti32[${slotIndex(place)}] = ${isTrue} ? 1 : 0;`);
    }
  } else if (isWide(value.kind)) {
    const at = slotIndex(place);
    source.line(`ti32[${at}] = ${lowWord(fromPlace)};`);
    source.line(`ti32[${at} + 1] = ${highWord(from, fromPlace)};`);
  } else {
    source.line(`ti32[${slotIndex(place)}] = ${narrowed(from, fromPlace, value)};`);
  }
}

function emitMessage(
  source: Source,
  closure: PairClosure,
  value: ValueLayout,
  place: Place,
  from: ValueLayout,
  fromPlace: Place,
): void {
  const call = `t${closure.indexOf(from.message!, value.message!)}`;
  const position =
    fromPlace.at === "struct" ? fromPlace.position : `start + si32[${slotIndex(fromPlace)}]`;
  if (place.at === "struct") {
    source.line(`${call}(${position}, ${place.position});`);
    return;
  }
  source.line("{");
  source.line("const r = cursor;");
  source.line(`cursor += ${value.message!.bytes};`);
  source.line(`ti32[${slotIndex(place)}] = r - base;`);
  source.line(`if (cursor <= limit) ${call}(${position}, r);`);
  source.line("}");
}

function slotIndex(place: Place): string {
  if (place.at !== "slot") return "-1";
  return place.word === 0 ? place.row : `${place.row} + ${place.word}`;
}

function lowWord(place: Place): string {
  if (place.at === "flag") return `(${flagOf(place.bit, "si32", "p")} ? 1 : 0)`;
  if (place.at === "byte") return `su8[${place.position}]`;
  return `si32[${slotIndex(place)}]`;
}

/** The upper half of a 64-bit value, or what extends a shorter one. */
function highWord(from: ValueLayout, place: Place): string {
  if (isWide(from.kind)) return `si32[${slotIndex(place)} + 1]`;
  const isSigned = from.kind === "i32" || from.kind === "enum";
  return isSigned ? `${lowWord(place)} >> 31` : "0";
}

/** A 32-bit value out of any: the low word, but sint64 loses its upper bits in zigzag form. */
function narrowed(from: ValueLayout, place: Place, value: ValueLayout): string {
  const low = lowWord(place);
  const isZigzag = isWide(from.kind) && value.scalar === zigzag32;
  return isZigzag ? `zigzag(${low}, ${highWord(from, place)})` : low;
}

/** `ScalarType.SINT32` */
const zigzag32 = 17;
