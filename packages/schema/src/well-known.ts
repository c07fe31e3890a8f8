/**
 * Well-known types whose JavaScript form is not the message: wrappers (the bare value) and
 * `google.protobuf.Struct` (a JSON object). The rules are those of protobuf-es.
 */
import type { DescMessage } from "@bufbuild/protobuf";

const wrapperTypes = new Set([
  "google.protobuf.DoubleValue",
  "google.protobuf.FloatValue",
  "google.protobuf.Int64Value",
  "google.protobuf.UInt64Value",
  "google.protobuf.Int32Value",
  "google.protobuf.UInt32Value",
  "google.protobuf.BoolValue",
  "google.protobuf.StringValue",
  "google.protobuf.BytesValue",
]);

/** Whether protobuf-es shows singular fields of this type as the bare value. */
export function isWrapperType(desc: DescMessage): boolean {
  const field = desc.fields[0];
  return (
    wrapperTypes.has(desc.typeName) &&
    field !== undefined &&
    field.fieldKind === "scalar" &&
    field.name === "value" &&
    field.number === 1
  );
}

interface StructMessage {
  $typeName: "google.protobuf.Struct";
  fields: Record<string, ValueMessage>;
}

interface ValueMessage {
  $typeName: "google.protobuf.Value";
  kind: { case: string | undefined; value?: unknown };
}

/** A JSON object as the message that the writer knows. */
export function structFromJson(json: unknown): StructMessage {
  const fields: Record<string, ValueMessage> = {};
  if (typeof json === "object" && json !== null && !Array.isArray(json)) {
    for (const [key, value] of Object.entries(json)) setOwn(fields, key, valueFromJson(value));
  }
  return { $typeName: "google.protobuf.Struct", fields };
}

/** The JSON object of a `google.protobuf.Struct` that was read. */
export function structToJson(struct: StructMessage): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(struct.fields)) setOwn(json, key, valueToJson(value));
  return json;
}

/** Sets an own property, also when the key is `__proto__`. */
export function setOwn(target: object, key: string, value: unknown): void {
  if (key === "__proto__") {
    const attributes = { value, writable: true, enumerable: true, configurable: true };
    Object.defineProperty(target, key, attributes);
  } else {
    (target as Record<string, unknown>)[key] = value;
  }
}

function valueFromJson(json: unknown): ValueMessage {
  return { $typeName: "google.protobuf.Value", kind: kindFromJson(json) };
}

function kindFromJson(json: unknown): ValueMessage["kind"] {
  if (typeof json === "number") return { case: "numberValue", value: json };
  if (typeof json === "string") return { case: "stringValue", value: json };
  if (typeof json === "boolean") return { case: "boolValue", value: json };
  if (json === null) return { case: "nullValue", value: 0 };
  if (Array.isArray(json)) {
    const values = json.map(valueFromJson);
    return { case: "listValue", value: { $typeName: "google.protobuf.ListValue", values } };
  }
  if (typeof json === "object") return { case: "structValue", value: structFromJson(json) };
  return { case: undefined };
}

function valueToJson(value: ValueMessage): unknown {
  switch (value.kind.case) {
    case "structValue":
      return structToJson(value.kind.value as StructMessage);
    case "listValue":
      return (value.kind.value as { values: ValueMessage[] }).values.map(valueToJson);
    case "nullValue":
    case undefined:
      return null;
    default:
      return value.kind.value;
  }
}
