/** How a field looks in protobuf's encoding: what its descriptor says that its place in memory does not. */
import { type DescField, ScalarType } from "@bufbuild/protobuf";
import type { FieldLayout, MessageLayout, ValueLayout } from "./layout.ts";

/** How one value is encoded. */
export type WireForm =
  | "bool"
  | "varint32"
  | "signed32"
  | "zigzag32"
  | "varint64"
  | "zigzag64"
  | "fixed32"
  | "fixed64"
  | "string"
  | "bytes"
  | "message"
  | "group";

export interface WireField {
  readonly field: FieldLayout;
  readonly form: WireForm;
  /** The form of a map's keys. */
  readonly keyForm: WireForm | null;
  /** A list goes out as one record. Both forms are taken in. */
  readonly isPacked: boolean;
  /** Text must be UTF-8; else what is not is replaced. */
  readonly isTextChecked: boolean;
}

/** `VARINT`, `I64`, `LEN`, `SGROUP`, `EGROUP`, `I32`. */
export const WireType = {
  VARINT: 0,
  FIXED64: 1,
  DELIMITED: 2,
  GROUP: 3,
  GROUP_END: 4,
  FIXED32: 5,
} as const;

/** The fields of a message type by number. */
export function wireFieldsOf(layout: MessageLayout): WireField[] {
  const byNumber = new Map(layout.desc.fields.map((desc) => [desc.number, desc]));
  return layout.fields.map((field) => wireField(field, byNumber.get(field.number)!));
}

function wireField(field: FieldLayout, desc: DescField): WireField {
  // A map's values have a length, whatever the feature says.
  const isGroup = desc.fieldKind !== "map" && "delimitedEncoding" in desc && desc.delimitedEncoding;
  const form = formOf(field.value);
  return {
    field,
    form: isGroup ? "group" : form,
    keyForm: field.key === null ? null : formOf(field.key),
    isPacked: desc.fieldKind === "list" && desc.packed,
    isTextChecked: "utf8Validation" in desc && desc.utf8Validation === true,
  };
}

function formOf(value: ValueLayout): WireForm {
  if (value.message !== null) return "message";
  if (value.enum !== null) return "signed32";
  return forms[value.scalar!];
}

const forms: Record<ScalarType, WireForm> = {
  [ScalarType.DOUBLE]: "fixed64",
  [ScalarType.FLOAT]: "fixed32",
  [ScalarType.INT64]: "varint64",
  [ScalarType.UINT64]: "varint64",
  [ScalarType.INT32]: "signed32",
  [ScalarType.FIXED64]: "fixed64",
  [ScalarType.FIXED32]: "fixed32",
  [ScalarType.BOOL]: "bool",
  [ScalarType.STRING]: "string",
  [ScalarType.BYTES]: "bytes",
  [ScalarType.UINT32]: "varint32",
  [ScalarType.SFIXED32]: "fixed32",
  [ScalarType.SFIXED64]: "fixed64",
  [ScalarType.SINT32]: "zigzag32",
  [ScalarType.SINT64]: "zigzag64",
};

/** The wire type of single values of a form. */
export function wireTypeOf(form: WireForm): number {
  switch (form) {
    case "fixed64":
      return WireType.FIXED64;
    case "fixed32":
      return WireType.FIXED32;
    case "group":
      return WireType.GROUP;
    case "string":
    case "bytes":
    case "message":
      return WireType.DELIMITED;
    default:
      return WireType.VARINT;
  }
}

/** Whether lists of a form may come as one record. */
export function canBePacked(form: WireForm): boolean {
  return wireTypeOf(form) !== WireType.DELIMITED && form !== "group";
}

/** Number and wire type as the number that is on the wire. */
export function tagOf(fieldNumber: number, wireType: number): number {
  return ((fieldNumber << 3) | wireType) >>> 0;
}

/** The bytes of a varint of up to 32 bits. */
export function varintOf(value: number): number[] {
  const bytes: number[] = [];
  let rest = value >>> 0;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return bytes;
}
