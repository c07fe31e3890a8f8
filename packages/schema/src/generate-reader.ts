/**
 * Generates the reader of a message type: one function per type that makes the object protobuf-es would
 * make. Where all optional fields are there, which is the rule, an object is a single literal.
 */
import { type Dialect, emitList, emitMap, emitOneof, valueAt } from "./generate-value.ts";
import type { FieldLayout, MessageLayout } from "./layout.ts";
import { readerPrelude } from "./reader-prelude.ts";
import { type Closure, quote, Source } from "./source.ts";

/** Source text of a factory that takes `rt` and returns the `read` function of the root type. */
export function generateReader(closure: Closure): string {
  const source = new Source();
  source.line(readerPrelude);
  const dialect: Dialect = {
    closure,
    prefix: "",
    context: "",
    message: (type, position) => `r${type}(${position})`,
  };
  closure.layouts.forEach((layout, index) => {
    emitMessage(source, dialect, layout, index);
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

function emitMessage(source: Source, dialect: Dialect, layout: MessageLayout, index: number): void {
  if (layout.usesPrototype) {
    source.line(`function C${index}() {`);
    source.line(`this.$typeName = ${quote(layout.typeName)};`);
    source.line("}");
    source.line(`C${index}.prototype = rt.prototypes[${index}];`);
  }
  source.line(`function r${index}(p) {`);
  source.line("const q = p >> 2;");
  for (let i = 0; i < layout.flagWords; i++) source.line(`const f${i} = i32[q + ${1 + i}];`);
  const properties = emitProperties(source, dialect, layout);
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
function emitProperties(source: Source, dialect: Dialect, layout: MessageLayout): Property[] {
  const byNumber = new Map(layout.fields.map((field) => [field.number, field]));
  const properties: Property[] = [];
  for (const member of layout.desc.members) {
    const value = `x${properties.length}`;
    if (member.kind === "oneof") {
      const oneof = layout.oneofs.find((o) => o.localName === member.localName);
      if (oneof === undefined) continue;
      emitOneof(source, dialect, oneof, value);
      properties.push({ name: member.localName, value, condition: null });
      continue;
    }
    const field = byNumber.get(member.number)!;
    if (field.shape === "single") {
      const { name, condition } = { name: field.localName, condition: conditionOf(field) };
      properties.push({ name, value: singleValue(dialect, field), condition });
      continue;
    }
    if (field.shape === "list") emitList(source, dialect, field, value);
    else emitMap(source, dialect, field, value);
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

function singleValue(dialect: Dialect, field: FieldLayout): string {
  if (field.valueBit >= 0) return flag(field.valueBit);
  return valueAt(dialect, field.value, "q", field.word);
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
