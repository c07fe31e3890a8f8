/**
 * The identity of a message type's layout: what both sides of a call must agree on to hand bodies over
 * as they are. Comments, options, file paths, JSON names and defaults do not enter.
 */
import { createHash } from "node:crypto";
import { closureOf, type FieldLayout, type MessageLayout, type ValueLayout } from "./layout.ts";

const ownTexts = new WeakMap<MessageLayout, string>();
const bindingTexts = new WeakMap<MessageLayout, string>();

/** sha256 (hex) over the type and all types it refers to, with names, numbers and types. */
export function layoutHash(root: MessageLayout): string {
  const hash = createHash("sha256");
  for (const layout of closureOf(root)) hash.update(ownText(layout)).update("\n");
  return hash.digest("hex");
}

/**
 * What generated code depends on beyond the layout: how protobuf-es shows the type in JavaScript, and how
 * protobuf encodes it. Codecs are shared when hash and this agree.
 */
export function bindingKey(root: MessageLayout): string {
  const hash = createHash("sha256");
  for (const layout of closureOf(root)) hash.update(bindingText(layout)).update("\n");
  return hash.digest("hex");
}

function bindingText(layout: MessageLayout): string {
  let text = bindingTexts.get(layout);
  if (text === undefined) {
    const fields = layout.desc.fields.map((field) => [
      field.localName,
      "longAsString" in field && field.longAsString,
      field.fieldKind === "scalar" || field.fieldKind === "enum"
        ? String(field.getDefaultValue())
        : "",
      field.oneof?.localName ?? "",
      field.enum?.values[0]?.number ?? 0,
      "delimitedEncoding" in field && field.delimitedEncoding,
      "packed" in field && field.packed,
      field.utf8Validation,
    ]);
    text = digest(JSON.stringify([layout.usesPrototype, fields]));
    bindingTexts.set(layout, text);
  }
  return text;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

function ownText(layout: MessageLayout): string {
  let text = ownTexts.get(layout);
  if (text === undefined) {
    text = digest(JSON.stringify([layout.typeName, layout.bytes, layout.fields.map(fieldText)]));
    ownTexts.set(layout, text);
  }
  return text;
}

function fieldText(field: FieldLayout): unknown {
  return [
    field.number,
    field.name,
    field.shape,
    field.presence,
    field.oneof?.name ?? "",
    valueText(field.value),
    field.key === null ? "" : valueText(field.key),
  ];
}

/** Values of open enums do not matter: any number passes. Those of closed enums do. */
function valueText(value: ValueLayout): unknown {
  if (value.message !== null) return [value.kind, value.message.typeName];
  if (value.enum === null) return [value.kind, value.scalar];
  const { typeName, open, values } = value.enum;
  const numbers = values.map((v) => v.number).sort((a, b) => a - b);
  return [value.kind, typeName, open ? "open" : numbers];
}
