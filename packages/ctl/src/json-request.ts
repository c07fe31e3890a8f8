/**
 * The request of `koalactl call`: JSON to a message, and where exactly it went wrong. protobuf-es names
 * the field but not the way to it, which is what one needs in a request of a few hundred lines.
 */
import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { KoalaError, messageOf } from "@koala/interface";

/** A message type and where to look up what an `Any` holds. */
export interface RequestType {
  readonly desc: DescMessage;
  readonly registry: Registry;
}

/** The message; throws ERR_CTL_JSON with line and column, or with the path of the field. */
export function requestFromJson(text: string, type: RequestType): Message {
  const json = parseJson(text);
  try {
    return decode(json, type);
  } catch (error) {
    const { path, reason } = locate(json, type, messageOf(error), 0);
    const where = path === "" ? "" : `${path.replace(/^\./, "")}: `;
    throw new KoalaError("ERR_CTL_JSON", `the request (${type.desc.typeName}): ${where}${reason}`, {
      cause: error,
    });
  }
}

function parseJson(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    const reason = messageOf(error);
    const position = /at position (\d+)/.exec(reason)?.[1];
    const where = position === undefined ? "" : `${placeOf(text, Number(position))}: `;
    throw new KoalaError("ERR_CTL_JSON", `the request is not JSON: ${where}${reason}`, {
      cause: error,
    });
  }
}

function placeOf(text: string, position: number): string {
  const lines = text.slice(0, position).split("\n");
  return `line ${lines.length}, column ${lines.at(-1)!.length + 1}`;
}

function decode(json: JsonValue, { desc, registry }: RequestType): Message {
  return fromJson(desc, json, { registry });
}

interface Problem {
  /** `.route.stops[3].lat`; "" for the message itself. */
  path: string;
  reason: string;
}

const depthMax = 100;

/** The deepest part of `json` that does not decode. */
function locate(json: JsonValue, type: RequestType, reason: string, depth: number): Problem {
  const own: Problem = { path: "", reason };
  if (depth > depthMax || !isObject(json)) return own;
  // Well-known types have a JSON of their own, which is not that of their fields.
  if (type.desc.typeName.startsWith("google.protobuf.")) return own;
  for (const [key, value] of Object.entries(json)) {
    const field = type.desc.fields.find((known) => known.jsonName === key || known.name === key);
    if (field === undefined) {
      if (tryDecode({ [key]: value }, type) === undefined) continue;
      return { path: "", reason: `there is no field "${key}"; there are: ${namesOf(type.desc)}` };
    }
    const problem = tryDecode({ [key]: value }, type);
    if (problem === undefined) continue;
    return locateInField(value, field, { type, path: `.${key}`, reason: problem, depth });
  }
  return own;
}

interface Place extends Problem {
  type: RequestType;
  depth: number;
}

function locateInField(value: JsonValue, field: DescField, place: Place): Problem {
  const own: Problem = { path: place.path, reason: place.reason };
  const desc = field.message;
  if (desc === undefined) return own;
  const { registry } = place.type;
  for (const [step, part] of partsOf(value, field)) {
    const type = { desc, registry };
    const problem = tryDecode(part, type);
    if (problem === undefined) continue;
    const inner = locate(part, type, problem, place.depth + 1);
    return { path: `${place.path}${step}${inner.path}`, reason: inner.reason };
  }
  return own;
}

/** The messages in a field's value, each with the step that leads to it. */
function partsOf(value: JsonValue, field: DescField): [string, JsonValue][] {
  if (field.fieldKind === "message") return [["", value]];
  if (field.fieldKind === "list" && Array.isArray(value)) {
    return value.map((part, index) => [`[${index}]`, part]);
  }
  if (field.fieldKind === "map" && isObject(value)) {
    return Object.entries(value).map(([key, part]) => [`[${JSON.stringify(key)}]`, part]);
  }
  return [];
}

/** Why it does not decode; undefined when it does. */
function tryDecode(json: JsonValue, type: RequestType): string | undefined {
  try {
    decode(json, type);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function isObject(json: JsonValue): json is { [key: string]: JsonValue } {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function namesOf(desc: DescMessage): string {
  return desc.fields.map((field) => field.jsonName).join(", ") || "none";
}
