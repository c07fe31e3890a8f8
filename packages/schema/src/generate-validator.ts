/**
 * Generates the validator of a message type.
 *
 * There is only one right place for everything that a message refers to: where the writer's walk would have
 * put it. So a reference is checked by comparing it with the cursor, nothing can be visited twice, and
 * the work is bounded by the length of the message.
 */
import { elementBytes, type FieldLayout, type MessageLayout, type ValueLayout } from "./layout.ts";
import { messageDepthMax } from "./limits.ts";
import { type Closure, Source } from "./source.ts";
import { ValidateCode as Code } from "./validate-reasons.ts";
import { validatorPrelude } from "./validator-prelude.ts";

/** Source text of a factory that takes `rt` and returns the `validate` function of the root type. */
export function generateValidator(closure: Closure): string {
  const source = new Source();
  source.line(`const ROOT = ${closure.layouts[0]!.bytes};`);
  source.line(validatorPrelude);
  closure.layouts.forEach((layout, index) => {
    emitMessage(source, closure, layout, index);
  });
  source.line("return validate;");
  return source.toString();
}

function emitMessage(source: Source, closure: Closure, layout: MessageLayout, index: number): void {
  const isCounted = closure.isRecursive(layout);
  source.line(`function v${index}(p) {`);
  if (isCounted) source.line(`if (++depth > ${messageDepthMax}) return ${Code.DEPTH};`);
  source.line("const q = p >> 2;");
  source.line("let e = 0;");
  emitFlags(source, layout);
  layout.oneofs.forEach((oneof, i) => {
    source.line(`const c${i} = u32[q + ${oneof.caseWord}];`);
    source.line(`if (c${i} > ${oneof.members.length}) return ${Code.ONEOF};`);
  });
  for (const field of layout.fields) {
    if (field.shape === "list") emitList(source, closure, field);
    else if (field.shape === "map") emitMap(source, closure, field);
    else emitSingle(source, closure, layout, field);
  }
  source.line("if (i32[q] !== 0 && (e = unknown(i32[q])) !== 0) return e;");
  if (isCounted) source.line("depth--;");
  source.line("return 0;");
  source.line("}");
}

function emitFlags(source: Source, layout: MessageLayout): void {
  for (let i = 0; i < layout.flagWords; i++) {
    let known = 0;
    let required = 0;
    for (const { presenceBit, valueBit, presence } of layout.fields) {
      if (presenceBit >> 5 === i) {
        known |= 1 << (presenceBit & 31);
        if (presence === "required") required |= 1 << (presenceBit & 31);
      }
      if (valueBit >> 5 === i) known |= 1 << (valueBit & 31);
    }
    source.line(`const f${i} = i32[q + ${1 + i}];`);
    if (known !== -1) source.line(`if ((f${i} & ${~known}) !== 0) return ${Code.FLAGS};`);
    if (required !== 0) {
      source.line(`if ((f${i} & ${required}) !== ${required}) return ${Code.REQUIRED};`);
    }
  }
}

function emitSingle(
  source: Source,
  closure: Closure,
  layout: MessageLayout,
  field: FieldLayout,
): void {
  const { value, word, presenceBit, oneof } = field;
  if (field.valueBit >= 0 || !isChecked(value)) return;
  const isEnum = value.kind === "enum";
  if (oneof !== null) {
    source.line(`if (c${layout.oneofs.indexOf(oneof)} === ${field.oneofCase}) {`);
  } else if (isEnum && presenceBit >= 0) {
    source.line(`if ((f${presenceBit >> 5} & ${1 << (presenceBit & 31)}) !== 0) {`);
  } else if (value.kind === "message" && field.presence !== "required") {
    source.line(`if (i32[q + ${word}] !== 0) {`);
  } else if (value.kind === "message") {
    source.line(`if (i32[q + ${word}] === 0) return ${Code.REQUIRED};`);
    source.line("{");
  } else {
    source.line("{");
  }
  emitValue(source, closure, value, "q", word, isEnum && oneof === null && presenceBit < 0);
  source.line("}");
}

/** Numbers can't be wrong, only what refers or has fewer values than bits. */
function isChecked(value: ValueLayout): boolean {
  if (value.enum !== null) return !value.enum.open;
  return ["bool", "string", "bytes", "message"].includes(value.kind);
}

function emitValue(
  source: Source,
  closure: Closure,
  value: ValueLayout,
  row: string,
  word: number,
  isZeroFine = false,
): void {
  const at = word === 0 ? row : `${row} + ${word}`;
  switch (value.kind) {
    case "string":
    case "bytes":
      source.line(`if ((e = ${value.kind}(${at})) !== 0) return e;`);
      return;
    case "bool":
      source.line(`if (u32[${at}] > 1) return ${Code.BOOL};`);
      return;
    case "enum":
      if (!value.enum!.open) emitClosedEnum(source, value, at, isZeroFine);
      return;
    case "message": {
      const child = value.message!;
      source.line(`const s = i32[${at}];`);
      source.line(`if (s !== cursor) return ${Code.REFERENCE};`);
      source.line(`cursor += ${child.bytes};`);
      source.line(`if (cursor > end) return ${Code.PAST_END};`);
      source.line(`if ((e = v${closure.indexOf(child)}(base + s)) !== 0) return e;`);
    }
  }
}

function emitClosedEnum(source: Source, value: ValueLayout, at: string, isZeroFine: boolean): void {
  const numbers = [...new Set(value.enum!.values.map((v) => v.number))].sort((a, b) => a - b);
  if (isZeroFine && !numbers.includes(0)) numbers.push(0);
  source.line(`if (!isOneOf([${numbers.join()}], i32[${at}])) return ${Code.ENUM};`);
}

function emitList(source: Source, closure: Closure, field: FieldLayout): void {
  const { value, word } = field;
  const size = elementBytes(value);
  source.line("{");
  source.line(`const r = i32[q + ${word}], n = i32[q + ${word + 1}];`);
  source.line(`if (r !== cursor) return ${Code.REFERENCE};`);
  source.line("if (n !== 0) {");
  source.line(`if (n < 0 || n > (end - cursor) / ${size}) return ${Code.PAST_END};`);
  source.line(size % 8 === 0 ? `cursor += n * ${size};` : `cursor += padded(n * ${size});`);
  if (value.kind === "message") {
    const call = `v${closure.indexOf(value.message!)}(base + r + i * ${size})`;
    source.line(`for (let i = 0; i < n; i++) if ((e = ${call}) !== 0) return e;`);
  } else if (value.kind === "bool") {
    source.line(`for (let i = 0; i < n; i++) if (u8[base + r + i] > 1) return ${Code.BOOL};`);
  } else if (value.kind === "string" || value.kind === "bytes") {
    source.line("const k = (base + r) >> 2;");
    source.line(`for (let i = 0; i < n; i++) if ((e = ${value.kind}(k + i * 2)) !== 0) return e;`);
  }
  source.line("}");
  source.line("}");
}

function emitMap(source: Source, closure: Closure, field: FieldLayout): void {
  const { value, word, entry } = field;
  source.line("{");
  source.line(`const r = i32[q + ${word}], n = i32[q + ${word + 1}];`);
  source.line(`if (r !== cursor) return ${Code.REFERENCE};`);
  source.line("if (n !== 0) {");
  source.line(`if (n < 0 || n > (end - cursor) / ${entry.bytes}) return ${Code.PAST_END};`);
  source.line(`cursor += n * ${entry.bytes};`);
  source.line("for (let i = 0; i < n; i++) {");
  source.line(`const k = (base + r + i * ${entry.bytes}) >> 2;`);
  emitValue(source, closure, field.key!, "k", entry.key);
  // Lists and maps take any number for an enum, as protobuf-es does.
  if (value.kind !== "enum") emitValue(source, closure, value, "k", entry.value);
  for (let i = 0; i < 3; i++) source.line("}");
}
