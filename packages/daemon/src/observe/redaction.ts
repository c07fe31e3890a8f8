/**
 * Takes out of a message's JSON what its schema marks with `debug_redact`, wherever in the message it is:
 * in messages within, in lists and maps, in extensions, and in what an `Any` holds.
 */
import type { DescField, DescMessage, JsonObject, JsonValue, Registry } from "@bufbuild/protobuf";

/** What stands in the place of a value that is not shown. */
export const redactedText = "[redacted]";

export interface Redaction {
  readonly registry: Registry;
  isRedacted(field: DescField): boolean;
}

/** Changes the JSON, which is that of a message of the type. */
export function redactJson(json: JsonValue, desc: DescMessage, redaction: Redaction): JsonValue {
  if (!isObject(json)) return json;
  if (desc.typeName === "google.protobuf.Any") return redactAny(json, redaction);
  // The JSON of other well-known types is not that of their fields; none of them has the option.
  if (desc.typeName.startsWith("google.protobuf.")) return json;
  for (const field of desc.fields) {
    const value = json[field.jsonName];
    if (value !== undefined) json[field.jsonName] = redactField(value, field, redaction);
  }
  for (const [key, value] of Object.entries(json)) {
    if (!key.startsWith("[")) continue;
    const extension = redaction.registry.getExtension(key.slice(1, -1));
    if (extension === undefined) continue;
    const isHidden = extension.proto.options?.debugRedact === true;
    json[key] = isHidden ? redactedText : redactParts(value, extension.message, redaction);
  }
  return json;
}

function redactField(value: JsonValue, field: DescField, redaction: Redaction): JsonValue {
  if (redaction.isRedacted(field)) return redactedText;
  if (field.message === undefined) return value;
  if (field.fieldKind !== "map") return redactParts(value, field.message, redaction);
  if (!isObject(value)) return value;
  for (const [key, part] of Object.entries(value)) {
    value[key] = redactJson(part, field.message, redaction);
  }
  return value;
}

function redactParts(
  value: JsonValue,
  desc: DescMessage | undefined,
  redaction: Redaction,
): JsonValue {
  if (desc === undefined) return value;
  // A ListValue is an array, too, and stays as it is either way.
  return Array.isArray(value)
    ? value.map((part) => redactJson(part, desc, redaction))
    : redactJson(value, desc, redaction);
}

function redactAny(json: JsonObject, redaction: Redaction): JsonValue {
  const url = json["@type"];
  const desc =
    typeof url === "string"
      ? redaction.registry.getMessage(url.slice(url.lastIndexOf("/") + 1))
      : undefined;
  if (desc === undefined) return json;
  const { value } = json;
  const isWrapped = desc.typeName.startsWith("google.protobuf.") && value !== undefined;
  if (!isWrapped) return redactJson(json, desc, redaction);
  json["value"] = redactJson(value, desc, redaction);
  return json;
}

function isObject(json: JsonValue): json is JsonObject {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
