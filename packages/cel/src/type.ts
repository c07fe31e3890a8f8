/** Types of values. A type also says how JavaScript holds the value, so that no code has to look. */
import type { DescMessage } from "@bufbuild/protobuf";

/** Integers are numbers where all values fit, bigints, or decimal digits (`jstype = JS_STRING`). */
export type IntegerForm = "number" | "bigint" | "text";

export interface IntegerType {
  readonly kind: "int" | "uint";
  readonly form: IntegerForm;
}

/** Messages of protobuf-es while they are stored, nanoseconds as a bigint while they are used. */
export interface TimeType {
  readonly kind: "timestamp" | "duration";
  readonly form: "message" | "nanoseconds";
}

export interface PlainType {
  readonly kind: "double" | "string" | "bytes" | "bool" | "null";
}

/** A wrapper of google.protobuf: the bare value, or null. */
export interface NullableType {
  readonly kind: "nullable";
  readonly of: Type;
}

export interface ListType {
  readonly kind: "list";
  readonly element: Type;
}

/** Keys of objects are text; a `lookup` has the methods of `Lookup`. */
export interface MapType {
  readonly kind: "map";
  readonly key: Type;
  readonly value: Type;
  readonly form: "object" | "lookup";
}

export interface MessageType {
  readonly kind: "message";
  readonly desc: DescMessage;
}

/** An object whose properties are all there. */
export interface RecordType {
  readonly kind: "record";
  readonly name: string;
  readonly fields: Readonly<Record<string, Type>>;
}

/** A value that expressions can't look into. */
export interface OpaqueType {
  readonly kind: "opaque";
  readonly name: string;
}

/** What something is that a problem was reported for. */
export interface ErrorType {
  readonly kind: "error";
}

export type Type =
  | IntegerType
  | TimeType
  | PlainType
  | NullableType
  | ListType
  | MapType
  | MessageType
  | RecordType
  | OpaqueType
  | ErrorType;

/** What a variable of the type `lookupType` is at run time. */
export interface Lookup {
  /** The text at a key, undefined when there is none. */
  get(key: string): string | undefined;
  keys(): readonly string[];
}

export const boolType: PlainType = { kind: "bool" };
export const stringType: PlainType = { kind: "string" };
export const bytesType: PlainType = { kind: "bytes" };
export const doubleType: PlainType = { kind: "double" };
export const nullType: PlainType = { kind: "null" };
/** An integer that JavaScript holds as a number: at most 32 bits. */
export const intType: IntegerType = { kind: "int", form: "number" };
/** Of a variable of which only the name is known; for `checkCondition`. */
export const unknownType: ErrorType = { kind: "error" };
/** Text by text, for what is not kept as an object. */
export const lookupType: MapType = {
  kind: "map",
  key: stringType,
  value: stringType,
  form: "lookup",
};

export function listType(element: Type): ListType {
  return { kind: "list", element };
}

/** An object from text to values. */
export function mapType(value: Type): MapType {
  return { kind: "map", key: stringType, value, form: "object" };
}

export function messageType(desc: DescMessage): MessageType {
  return { kind: "message", desc };
}

export function recordType(name: string, fields: Readonly<Record<string, Type>>): RecordType {
  return { kind: "record", name, fields };
}

/** For a variable that is there, but that expressions can't look into. */
export function opaqueType(name: string): OpaqueType {
  return { kind: "opaque", name };
}

export function isInteger(type: Type): type is IntegerType {
  return type.kind === "int" || type.kind === "uint";
}

export function isNumber(type: Type): boolean {
  return isInteger(type) || type.kind === "double";
}

export function isTime(type: Type): type is TimeType {
  return type.kind === "timestamp" || type.kind === "duration";
}

/** Same type, held the same way. */
export function isSameType(a: Type, b: Type): boolean {
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case "int":
    case "uint":
    case "timestamp":
    case "duration":
      return a.form === (b as typeof a).form;
    case "nullable":
      return isSameType(a.of, (b as NullableType).of);
    case "list":
      return isSameType(a.element, (b as ListType).element);
    case "map": {
      const other = b as MapType;
      const isSame = isSameType(a.key, other.key) && isSameType(a.value, other.value);
      return a.form === other.form && isSame;
    }
    case "message":
      return a.desc.typeName === (b as MessageType).desc.typeName;
    case "record":
    case "opaque":
      return a.name === (b as RecordType | OpaqueType).name;
    default:
      return true;
  }
}

/** How problems name a type. */
export function describeType(type: Type): string {
  switch (type.kind) {
    case "nullable":
      return `${describeType(type.of)} or null`;
    case "list":
      return `list(${describeType(type.element)})`;
    case "map":
      return `map(${describeType(type.key)}, ${describeType(type.value)})`;
    case "message":
      return type.desc.typeName;
    case "record":
    case "opaque":
      return type.name;
    default:
      return type.kind;
  }
}
