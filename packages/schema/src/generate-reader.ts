/**
 * Generates the reader of a message type: one function per type that makes the object protobuf-es would
 * make. Where all optional fields are there, which is the rule, an object is a single literal.
 */
import {
  elementBytes,
  type FieldLayout,
  isWide,
  type MessageLayout,
  type OneofLayout,
  type ValueLayout,
} from "./layout.ts";
import { readerPrelude } from "./reader-prelude.ts";
import { type Closure, quote, Source } from "./source.ts";

/** Source text of a factory that takes `rt` and returns the `read` function of the root type. */
export function generateReader(closure: Closure): string {
  const source = new Source();
  source.line(readerPrelude);
  closure.layouts.forEach((layout, index) => {
    emitMessage(source, closure, layout, index);
  });
  source.line("return read;");
  return source.toString();
}

/** A property of the object: its name, its value, and when it is there (`null`: always). */
interface Property {
  readonly name: string;
  readonly value: string;
  readonly condition: string | null;
}

function emitMessage(source: Source, closure: Closure, layout: MessageLayout, index: number): void {
  if (layout.usesPrototype) {
    source.line(`function C${index}() {`);
    source.line(`this.$typeName = ${quote(layout.typeName)};`);
    source.line("}");
    source.line(`C${index}.prototype = rt.prototypes[${index}];`);
  }
  source.line(`function r${index}(p) {`);
  source.line("const q = p >> 2;");
  for (let i = 0; i < layout.flagWords; i++) source.line(`const f${i} = i32[q + ${1 + i}];`);
  const properties = emitProperties(source, closure, layout);
  if (layout.usesPrototype) {
    source.line(`const o = new C${index}();`);
    emitAssignments(source, properties);
  } else {
    emitLiterals(source, layout, properties);
  }
  source.line("if (i32[q] !== 0) o.$unknown = unknown(i32[q]);");
  source.line("return o;");
  source.line("}");
}

/** The members in the order of `create()`; lists, maps and oneofs are computed into locals first. */
function emitProperties(source: Source, closure: Closure, layout: MessageLayout): Property[] {
  const byNumber = new Map(layout.fields.map((field) => [field.number, field]));
  const properties: Property[] = [];
  for (const member of layout.desc.members) {
    const value = `x${properties.length}`;
    if (member.kind === "oneof") {
      const oneof = layout.oneofs.find((o) => o.localName === member.localName);
      if (oneof === undefined) continue;
      emitOneof(source, closure, oneof, value);
      properties.push({ name: member.localName, value, condition: null });
      continue;
    }
    const field = byNumber.get(member.number)!;
    if (field.shape === "single") {
      const { name, condition } = { name: field.localName, condition: conditionOf(field) };
      properties.push({ name, value: singleValue(closure, field), condition });
      continue;
    }
    if (field.shape === "list") emitList(source, closure, field, value);
    else emitMap(source, closure, field, value);
    properties.push({ name: field.localName, value, condition: null });
  }
  return properties;
}

function conditionOf(field: FieldLayout): string | null {
  if (field.value.kind === "message") return `i32[q + ${field.word}] !== 0`;
  return field.presenceBit < 0 ? null : flag(field.presenceBit);
}

function flag(bit: number): string {
  return `(f${bit >> 5} & ${1 << (bit & 31)}) !== 0`;
}

function singleValue(closure: Closure, field: FieldLayout): string {
  if (field.valueBit >= 0) return flag(field.valueBit);
  return valueAt(closure, field.value, "q", field.word);
}

/** An expression for the value in words `row + word`. */
function valueAt(closure: Closure, value: ValueLayout, row: string, word: number): string {
  const at = word === 0 ? row : `${row} + ${word}`;
  switch (value.kind) {
    case "bool":
      return `i32[${at}] !== 0`;
    case "enum":
      return `i32[${at}]`;
    case "i32":
    case "u32":
    case "f32":
      return `${value.kind}[${at}]`;
    case "string":
    case "bytes":
      return `${value.kind}(${at})`;
    case "message":
      return boxed(value, `r${closure.indexOf(value.message!)}(base + i32[${at}])`);
    default: {
      const number = `${value.kind}[(${at}) >> 1]`;
      return value.longAsString ? `String(${number})` : number;
    }
  }
}

/** What protobuf-es shows in place of the message. */
function boxed(value: ValueLayout, message: string): string {
  if (value.form === "wrapper") return `${message}.value`;
  return value.form === "struct" ? `structToJson(${message})` : message;
}

function emitLiterals(source: Source, layout: MessageLayout, properties: Property[]): void {
  const always = properties.filter((p) => p.condition === null);
  const optional = properties.filter((p) => p.condition !== null);
  const literal = (list: Property[]): string => {
    const rows = list.map(({ name, value }) => `${propertyKey(name)}: ${value}`);
    return `{ ${[`$typeName: ${quote(layout.typeName)}`, ...rows].join(", ")} }`;
  };
  if (optional.length === 0) {
    source.line(`const o = ${literal(always)};`);
    return;
  }
  source.line("let o;");
  source.line(`if (${optional.map((p) => p.condition).join(" && ")}) {`);
  source.line(`o = ${literal([...always, ...optional])};`);
  source.line("} else {");
  source.line(`o = ${literal(always)};`);
  emitAssignments(source, optional);
  source.line("}");
}

function emitAssignments(source: Source, properties: Property[]): void {
  for (const { name, value, condition } of properties) {
    const guard = condition === null ? "" : `if (${condition}) `;
    const isSpecial = name === "__proto__";
    const target = isSpecial ? `put(o, "__proto__", ${value});` : `o[${quote(name)}] = ${value};`;
    source.line(guard + target);
  }
}

/** In a literal, a plain `"__proto__":` would set the prototype; a computed key does not. */
function propertyKey(name: string): string {
  return name === "__proto__" ? '["__proto__"]' : quote(name);
}

function emitOneof(source: Source, closure: Closure, oneof: OneofLayout, target: string): void {
  source.line(`let ${target};`);
  source.line(`switch (i32[q + ${oneof.caseWord}]) {`);
  for (const field of oneof.members) {
    const value = valueAt(closure, field.value, "q", field.word);
    const literal = `{ case: ${quote(field.localName)}, value: ${value} }`;
    source.line(`case ${field.oneofCase}: ${target} = ${literal}; break;`);
  }
  source.line(`default: ${target} = { case: undefined };`);
  source.line("}");
}

function emitList(source: Source, closure: Closure, field: FieldLayout, target: string): void {
  const { value, word } = field;
  const size = elementBytes(value);
  source.line(`const ${target} = [];`);
  source.line(`const n${target} = i32[q + ${word + 1}];`);
  source.line(`if (n${target} !== 0) {`);
  source.line(`const b = base + i32[q + ${word}];`);
  source.line(`for (let i = 0; i < n${target}; i++) {`);
  if (value.kind === "message") {
    const element = `r${closure.indexOf(value.message!)}(b + i * ${size})`;
    source.line(`${target}.push(${boxed(value, element)});`);
  } else if (value.kind === "bool") {
    source.line(`${target}.push(u8[b + i] !== 0);`);
  } else {
    source.line(`const k = (b >> 2) + i${size === 8 ? " * 2" : ""};`);
    source.line(`${target}.push(${valueAt(closure, value, "k", 0)});`);
  }
  source.line("}");
  source.line("}");
}

function emitMap(source: Source, closure: Closure, field: FieldLayout, target: string): void {
  const { value, word, entry } = field;
  source.line(`const ${target} = {};`);
  source.line("{");
  source.line(`const b = base + i32[q + ${word}], n = i32[q + ${word + 1}];`);
  source.line("for (let i = 0; i < n; i++) {");
  source.line(`const k = (b + i * ${entry.bytes}) >> 2;`);
  const key = valueAt(closure, field.key!, "k", entry.key);
  const isText = field.key!.kind === "string" || isWide(field.key!.kind);
  const name = field.key!.kind === "string" ? key : isText ? `String(${key})` : `${key}`;
  source.line(`put(${target}, ${name}, ${valueAt(closure, value, "k", entry.value)});`);
  source.line("}");
  source.line("}");
}
