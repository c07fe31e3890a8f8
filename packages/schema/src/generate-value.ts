/** What readers and views share: source text that gets values, lists, maps and oneofs out of memory. */
import {
  elementBytes,
  type FieldLayout,
  isWide,
  type OneofLayout,
  type ValueLayout,
} from "./layout.ts";
import { type Closure, quote, type Source } from "./source.ts";

/** How generated code gets at memory: readers have it in variables, views in an object. */
export interface Dialect {
  readonly closure: Closure;
  /** In front of the names of typed arrays and of `base`. */
  readonly prefix: string;
  /** In front of the position, in calls of `string` and `bytes`. */
  readonly context: string;
  /** An expression for the message of type number `type` at an absolute position. */
  message(type: number, position: string): string;
}

/** An expression for the value in words `row + word`. */
export function valueAt(dialect: Dialect, value: ValueLayout, row: string, word: number): string {
  const { prefix, context } = dialect;
  const at = word === 0 ? row : `${row} + ${word}`;
  switch (value.kind) {
    case "bool":
      return `${prefix}i32[${at}] !== 0`;
    case "enum":
      return `${prefix}i32[${at}]`;
    case "i32":
    case "u32":
    case "f32":
      return `${prefix}${value.kind}[${at}]`;
    case "string":
    case "bytes":
      return `${value.kind}(${context}${at})`;
    case "message":
      return messageAt(dialect, value, `${prefix}base + ${prefix}i32[${at}]`);
    default: {
      const number = `${prefix}${value.kind}[(${at}) >> 1]`;
      return value.longAsString ? `String(${number})` : number;
    }
  }
}

/** A message, or what protobuf-es shows in its place. */
function messageAt(dialect: Dialect, value: ValueLayout, position: string): string {
  const message = dialect.message(dialect.closure.indexOf(value.message!), position);
  if (value.form === "wrapper") return `${message}.value`;
  return value.form === "struct" ? `structToJson(${message})` : message;
}

/** Statements that put the `{case, value}` of a oneof into a new variable. */
export function emitOneof(
  source: Source,
  dialect: Dialect,
  oneof: OneofLayout,
  target: string,
): void {
  source.line(`let ${target};`);
  source.line(`switch (${dialect.prefix}i32[q + ${oneof.caseWord}]) {`);
  for (const field of oneof.members) {
    const value = valueAt(dialect, field.value, "q", field.word);
    const literal = `{ case: ${quote(field.localName)}, value: ${value} }`;
    source.line(`case ${field.oneofCase}: ${target} = ${literal}; break;`);
  }
  source.line(`default: ${target} = { case: undefined };`);
  source.line("}");
}

/** Statements that put the array of a list field into a new variable. */
export function emitList(
  source: Source,
  dialect: Dialect,
  field: FieldLayout,
  target: string,
): void {
  const { value, word } = field;
  const { prefix } = dialect;
  const size = elementBytes(value);
  source.line(`const ${target} = [];`);
  source.line("{");
  source.line(`const b = ${prefix}base + ${prefix}i32[q + ${word}];`);
  source.line(`const n = ${prefix}i32[q + ${word + 1}];`);
  source.line("for (let i = 0; i < n; i++) {");
  if (value.kind === "message") {
    source.line(`${target}.push(${messageAt(dialect, value, `b + i * ${size}`)});`);
  } else if (value.kind === "bool") {
    source.line(`${target}.push(${prefix}u8[b + i] !== 0);`);
  } else {
    source.line(`const k = (b >> 2) + i${size === 8 ? " * 2" : ""};`);
    source.line(`${target}.push(${valueAt(dialect, value, "k", 0)});`);
  }
  source.line("}");
  source.line("}");
}

/** Statements that put the object of a map field into a new variable. */
export function emitMap(
  source: Source,
  dialect: Dialect,
  field: FieldLayout,
  target: string,
): void {
  const { value, word, entry } = field;
  const { prefix } = dialect;
  source.line(`const ${target} = {};`);
  source.line("{");
  source.line(`const b = ${prefix}base + ${prefix}i32[q + ${word}];`);
  source.line(`const n = ${prefix}i32[q + ${word + 1}];`);
  source.line("for (let i = 0; i < n; i++) {");
  source.line(`const k = (b + i * ${entry.bytes}) >> 2;`);
  const key = valueAt(dialect, field.key!, "k", entry.key);
  const name = isWide(field.key!.kind) ? `String(${key})` : key;
  source.line(`put(${target}, ${name}, ${valueAt(dialect, value, "k", entry.value)});`);
  source.line("}");
  source.line("}");
}
