/** Fields, presence and indexes. */
import { create, type DescField, ScalarType } from "@bufbuild/protobuf";
import {
  Edition,
  isWrapperDesc,
  FeatureSet_FieldPresence as Presence,
} from "@bufbuild/protobuf/wkt";
import { mapEntry } from "./emit-map.ts";
import { emitPresent } from "./emit-present.ts";
import type { Emitter } from "./emitter.ts";
import type { Call, Index, Select } from "./expression.ts";
import { fieldNamed, fieldType } from "./field-type.ts";
import { quoted } from "./lexer.ts";
import { describeType, isInteger, type MessageType, type RecordType, type Type } from "./type.ts";
import { errorValue, isError, loaded, quote, type Value } from "./value.ts";

export function emitSelect(emitter: Emitter, { operand, field, offset }: Select): Value {
  const value = emitter.emit(operand);
  const { type } = value;
  switch (type.kind) {
    case "error":
      return value;
    case "message":
      return selectField(emitter, value, type, field, offset);
    case "record":
      return selectOfRecord(emitter, value, type, field, offset);
    case "map":
      if (type.key.kind !== "string") break;
      return mapEntry(emitter, value, type, textConstant(field), offset);
    case "opaque":
      return emitter.problem(offset, `expressions can't look into ${type.name}`);
    default:
  }
  const message = `a value of type ${describeType(type)} has no field ${quoted(field)}`;
  return emitter.problem(offset, message);
}

function textConstant(text: string): Value {
  return { type: { kind: "string" }, code: quote(text), isSimple: true, constant: text };
}

function selectOfRecord(
  emitter: Emitter,
  value: Value,
  type: RecordType,
  name: string,
  offset: number,
): Value {
  const fieldType = Object.hasOwn(type.fields, name) ? type.fields[name] : undefined;
  if (fieldType === undefined) {
    const names = Object.keys(type.fields).join(", ");
    const message = `${type.name} has no field ${quoted(name)}; it has: ${names}`;
    return emitter.problem(offset, message);
  }
  const found = loaded(fieldType, `${value.code}[${quote(name)}]`, false);
  return atPath(emitter, value, name, found);
}

/** What is reached by names alone is read once. */
function atPath(emitter: Emitter, operand: Value, name: string, value: Value): Value {
  if (operand.path === undefined) return value;
  return emitter.cachedValue(`${operand.path}.${name}`, value.type, value.code);
}

function selectField(
  emitter: Emitter,
  value: Value,
  { desc }: MessageType,
  name: string,
  offset: number,
): Value {
  const field = fieldNamed(desc, name);
  if (field === undefined) {
    return emitter.problem(offset, noField(desc.typeName, name, desc.fields));
  }
  if (isHiddenWrapper(field)) {
    const message = `${quoted(name)} is a wrapper within a list, map or oneof; these are not supported`;
    return emitter.problem(offset, message);
  }
  const type = fieldType(field);
  const stored = storedCode(emitter, value.code, field, type);
  return atPath(emitter, value, field.name, loaded(type, stored, false));
}

function noField(typeName: string, name: string, fields: readonly DescField[]): string {
  const names = fields.slice(0, 12).map((field) => field.name);
  const more = fields.length > names.length ? ", …" : "";
  const known = names.length === 0 ? "it has none" : `it has: ${names.join(", ")}${more}`;
  return `${typeName} has no field ${quoted(name)}; ${known}`;
}

/** Wrappers that protobuf-es does not unwrap. */
function isHiddenWrapper(field: DescField): boolean {
  if (field.message === undefined || !isWrapperDesc(field.message)) return false;
  return field.fieldKind !== "message" || field.oneof !== undefined;
}

/** The value of a field as the message has it, or its default. */
function storedCode(emitter: Emitter, code: string, field: DescField, type: Type): string {
  const property = quote(field.localName);
  if (field.oneof !== undefined) {
    const slot = emitter.slot();
    const chosen = `(${slot} = ${code}[${quote(field.oneof.localName)}]).case === ${property}`;
    return `(${chosen} ? ${slot}.value : ${defaultCode(emitter, field, type)})`;
  }
  const read = `${code}[${property}]`;
  const isAlwaysThere =
    field.fieldKind === "list" ||
    field.fieldKind === "map" ||
    type.kind === "nullable" ||
    field.presence === Presence.IMPLICIT;
  return isAlwaysThere ? read : `(${read} ?? ${defaultCode(emitter, field, type)})`;
}

function defaultCode(emitter: Emitter, field: DescField, type: Type): string {
  if (field.fieldKind === "message") {
    // Times of a missing message are those of an empty one: the prelude knows.
    return type.kind === "message" ? emitter.constant(emptyMessage(type)) : "undefined";
  }
  if (field.fieldKind === "enum") {
    return String(field.getDefaultValue() ?? field.enum.values[0]?.number ?? 0);
  }
  if (field.fieldKind !== "scalar") return "undefined";
  const value = field.getDefaultValue() ?? zeroOf(field.scalar, field.longAsString);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "string") return quote(value);
  return value instanceof Uint8Array ? emitter.constant(value) : `(${value})`;
}

const emptyMessages = new WeakMap<object, unknown>();

function emptyMessage({ desc }: MessageType): unknown {
  let message = emptyMessages.get(desc);
  if (message === undefined) {
    message = create(desc);
    emptyMessages.set(desc, message);
  }
  return message;
}

const noBytes = new Uint8Array();

function zeroOf(
  scalar: ScalarType,
  asText: boolean,
): bigint | number | string | boolean | Uint8Array {
  switch (scalar) {
    case ScalarType.STRING:
      return "";
    case ScalarType.BYTES:
      return noBytes;
    case ScalarType.BOOL:
      return false;
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return asText ? "0" : 0n;
    default:
      return 0;
  }
}

/** `has(message.field)`, `has(map.key)`. */
export function emitHas(emitter: Emitter, { args, offset }: Call): Value {
  const [selection] = args;
  if (args.length !== 1 || selection?.kind !== "select") {
    return emitter.problem(offset, "has() needs a field, as in has(request.name)");
  }
  const value = emitter.emit(selection.operand);
  const { type } = value;
  const { field: name } = selection;
  switch (type.kind) {
    case "error":
      return value;
    case "message": {
      const field = fieldNamed(type.desc, name);
      if (field !== undefined) return emitPresence(emitter, value, field);
      const message = noField(type.desc.typeName, name, type.desc.fields);
      return emitter.problem(selection.offset, message);
    }
    case "record":
      if (isError(selectOfRecord(emitter, value, type, name, selection.offset))) return errorValue;
      return flag("true");
    case "map": {
      if (value.path !== undefined) emitter.reads.add(value.path);
      const isLookup = type.form === "lookup";
      if (type.key.kind !== "string") break;
      return flag(
        isLookup
          ? `(${value.code}.get(${quote(name)}) !== undefined)`
          : `Object.hasOwn(${value.code}, ${quote(name)})`,
      );
    }
    default:
  }
  const message = `a value of type ${describeType(type)} has no fields`;
  return emitter.problem(selection.offset, message);
}

function flag(code: string): Value {
  return { type: { kind: "bool" }, code, isSimple: false };
}

function emitPresence(emitter: Emitter, value: Value, field: DescField): Value {
  if (value.path !== undefined) emitter.reads.add(`${value.path}.${field.name}`);
  const property = quote(field.localName);
  const read = `${value.code}[${property}]`;
  if (field.fieldKind === "list") return flag(`(${read}.length > 0)`);
  if (field.fieldKind === "map") return flag(`rt.hasKeys(${read})`);
  if (field.oneof !== undefined) {
    return flag(`(${value.code}[${quote(field.oneof.localName)}].case === ${property})`);
  }
  if (field.fieldKind === "message") return flag(`(${read} !== undefined)`);
  if (field.presence === Presence.IMPLICIT) {
    const isBytes = field.fieldKind === "scalar" && field.scalar === ScalarType.BYTES;
    if (isBytes) return flag(`(${read}.length > 0)`);
    return flag(`(${read} !== ${defaultCode(emitter, field, fieldType(field))})`);
  }
  if (field.parent.file.edition === Edition.EDITION_PROTO3) return flag(`(${read} !== undefined)`);
  // Defaults of other editions are on the prototype; those of views are found by comparing.
  const absent = defaultCode(emitter, field, fieldType(field));
  return flag(`rt.isSet(${value.code}, ${property}, ${absent})`);
}

export function emitIndex(emitter: Emitter, { operand, index, offset }: Index): Value {
  const value = emitter.emit(operand);
  const at = emitPresent(emitter, index);
  if (isError(value) || isError(at)) return errorValue;
  const { type } = value;
  if (type.kind === "map") return mapEntry(emitter, value, type, at, offset);
  if (type.kind !== "list") {
    const message = `only lists and maps have an index, found ${describeType(type)}`;
    return emitter.problem(offset, message);
  }
  if (!isInteger(at.type)) {
    const message = `the index of a list is an int, found ${describeType(at.type)}`;
    return emitter.problem(index.offset, message);
  }
  const list = emitter.simple(value);
  const isBig = at.type.form === "bigint";
  const number = emitter.simple({
    ...at,
    code: isBig ? `Number(${at.code})` : at.code,
    isSimple: at.isSimple && !isBig,
  });
  emitter.line(
    `if (!(${number.code} >= 0 && ${number.code} < ${list.code}.length)) ` +
      emitter.failing(offset, "the index is outside of the list"),
  );
  return loaded(type.element, `${list.code}[${number.code}]`, false);
}
