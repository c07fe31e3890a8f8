/** Types of the fields of messages. */
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { isWrapperDesc } from "@bufbuild/protobuf/wkt";
import {
  boolType,
  bytesType,
  doubleType,
  type IntegerForm,
  intType,
  listType,
  messageType,
  stringType,
  type Type,
} from "./type.ts";

/** Well-known types that are JSON or whose content only a registry knows. */
const opaque = new Set([
  "google.protobuf.Any",
  "google.protobuf.Struct",
  "google.protobuf.Value",
  "google.protobuf.ListValue",
]);

/** The field that a name means: as in the .proto file, as in TypeScript, or as in JSON. */
export function fieldNamed(desc: DescMessage, name: string): DescField | undefined {
  return (
    desc.fields.find((field) => field.name === name) ??
    desc.fields.find((field) => field.localName === name) ??
    desc.fields.find((field) => field.jsonName === name)
  );
}

export function fieldType(field: DescField): Type {
  switch (field.fieldKind) {
    case "scalar":
      return scalarType(field.scalar, field.longAsString);
    case "enum":
      return intType;
    case "message":
      // Only there does protobuf-es show the bare value of a wrapper.
      return field.oneof === undefined && isWrapperDesc(field.message)
        ? { kind: "nullable", of: fieldType(field.message.fields[0]!) }
        : typeOfMessage(field.message);
    case "list":
      return listType(elementType(field, field.listKind === "scalar" && field.longAsString));
    case "map": {
      const key = scalarType(field.mapKey, isWide(field.mapKey));
      return { kind: "map", key, value: elementType(field, false), form: "object" };
    }
  }
}

function elementType(
  field: DescField & { fieldKind: "list" | "map" },
  longAsString: boolean,
): Type {
  if (field.message !== undefined) return typeOfMessage(field.message);
  if (field.enum !== undefined) return intType;
  return scalarType(field.scalar!, longAsString);
}

function typeOfMessage(desc: DescMessage): Type {
  if (opaque.has(desc.typeName)) return { kind: "opaque", name: desc.typeName };
  if (desc.typeName === "google.protobuf.Timestamp") return { kind: "timestamp", form: "message" };
  if (desc.typeName === "google.protobuf.Duration") return { kind: "duration", form: "message" };
  return messageType(desc);
}

function scalarType(scalar: ScalarType, asText: boolean): Type {
  const wide: IntegerForm = asText ? "text" : "bigint";
  switch (scalar) {
    case ScalarType.STRING:
      return stringType;
    case ScalarType.BYTES:
      return bytesType;
    case ScalarType.BOOL:
      return boolType;
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return doubleType;
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return intType;
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return { kind: "uint", form: "number" };
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return { kind: "int", form: wide };
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return { kind: "uint", form: wide };
  }
}

/** Keys of objects are text; those of these types are bigints in an expression. */
function isWide(scalar: ScalarType): boolean {
  const type = scalarType(scalar, false);
  return "form" in type && type.form === "bigint";
}
