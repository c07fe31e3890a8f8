/**
 * Descriptor to layout: where each field of a message lies in its struct. `LAYOUT.md` has the drawings.
 *
 * A struct is a row of 32-bit words. Word 0 refers to the unknown fields, then come the flag words
 * (presence bits, and bools as bits), then one-word slots, two-word slots, and 8-byte slots.
 */
import {
  type DescEnum,
  type DescField,
  type DescMessage,
  type DescOneof,
  ScalarType,
} from "@bufbuild/protobuf";
import { isWrapperType } from "./well-known.ts";

/** How a value is held in memory. */
export type ValueKind =
  | "bool"
  | "i32"
  | "u32"
  | "f32"
  | "f64"
  | "i64"
  | "u64"
  | "enum"
  | "string"
  | "bytes"
  | "message";

export interface ValueLayout {
  readonly kind: ValueKind;
  /** The protobuf scalar type; `null` for enums and messages. */
  readonly scalar: ScalarType | null;
  /** 64-bit integers are decimal strings in JavaScript (`jstype = JS_STRING`). */
  readonly longAsString: boolean;
  readonly message: MessageLayout | null;
  readonly enum: DescEnum | null;
  /**
   * What the message looks like in JavaScript: itself, the bare value of a wrapper type, or a JSON object
   * for `google.protobuf.Struct`.
   */
  readonly form: "plain" | "wrapper" | "struct";
}

export interface OneofLayout {
  readonly name: string;
  readonly localName: string;
  /** Word of the case: 0 none, else `FieldLayout.oneofCase` of the member that is set. */
  caseWord: number;
  /** First of the two words that the members share, 8-byte aligned. */
  valueWord: number;
  readonly members: FieldLayout[];
}

export interface FieldLayout {
  readonly name: string;
  readonly localName: string;
  readonly number: number;
  readonly shape: "single" | "list" | "map";
  readonly presence: "implicit" | "explicit" | "required";
  readonly value: ValueLayout;
  readonly key: ValueLayout | null;
  readonly oneof: OneofLayout | null;
  /** 1-based among the members of the oneof, by field number. */
  readonly oneofCase: number;
  /** First word in the struct; -1 for a bool that is a flag. */
  word: number;
  /** Bit that says the field is set; -1 when its value or reference says so itself. */
  presenceBit: number;
  /** Bit that holds a bool's value; -1 for all else. */
  valueBit: number;
  /** Words of key and value in a map entry, and the entry's size. */
  readonly entry: { readonly key: number; readonly value: number; readonly bytes: number };
}

export interface MessageLayout {
  readonly desc: DescMessage;
  readonly typeName: string;
  /** By field number: the order in which everything that a field refers to lies in memory. */
  fields: FieldLayout[];
  oneofs: OneofLayout[];
  flagWords: number;
  /** Size of the struct, a multiple of 8. */
  bytes: number;
  /** Words that no field uses and that are zero. */
  paddingWords: number[];
  /** Presence of scalars is told by own properties over a prototype with the defaults. */
  usesPrototype: boolean;
}

const layouts = new WeakMap<DescMessage, MessageLayout>();
const closures = new WeakMap<MessageLayout, readonly MessageLayout[]>();

/** The layout of a message type, computed once. Types it refers to are computed with it. */
export function layoutOf(desc: DescMessage): MessageLayout {
  const known = layouts.get(desc);
  if (known !== undefined) return known;
  // A work list, not recursion: a peer's descriptor may nest types as deeply as its size allows.
  const pending: MessageLayout[] = [];
  const resolve = (type: DescMessage): MessageLayout => {
    let layout = layouts.get(type);
    if (layout === undefined) {
      layout = emptyLayout(type);
      layouts.set(type, layout);
      pending.push(layout);
    }
    return layout;
  };
  const root = resolve(desc);
  for (let layout = pending.pop(); layout !== undefined; layout = pending.pop()) {
    fill(layout, resolve);
  }
  return root;
}

/** All message types reachable from a layout, itself first, in the order of their fields. */
export function closureOf(root: MessageLayout): readonly MessageLayout[] {
  const known = closures.get(root);
  if (known !== undefined) return known;
  const found = new Set<MessageLayout>([root]);
  for (const layout of found) {
    for (const field of layout.fields) {
      if (field.value.message !== null) found.add(field.value.message);
    }
  }
  const closure = [...found];
  closures.set(root, closure);
  return closure;
}

/** Whether singular values take two words on their own (as opposed to one, or one aligned 8-byte slot). */
export function isPair(kind: ValueKind): boolean {
  return kind === "string" || kind === "bytes";
}

/** Whether a value is an aligned 8-byte number. */
export function isWide(kind: ValueKind): boolean {
  return kind === "f64" || kind === "i64" || kind === "u64";
}

/** Bytes of one element in a list. */
export function elementBytes(value: ValueLayout): number {
  if (value.kind === "message") return value.message!.bytes;
  if (value.kind === "bool") return 1;
  return isPair(value.kind) || isWide(value.kind) ? 8 : 4;
}

function emptyLayout(desc: DescMessage): MessageLayout {
  return {
    desc,
    typeName: desc.typeName,
    fields: [],
    oneofs: [],
    flagWords: 0,
    bytes: 0,
    paddingWords: [],
    usesPrototype: usesPrototype(desc),
  };
}

function fill(layout: MessageLayout, resolve: (type: DescMessage) => MessageLayout): void {
  const sorted = layout.desc.fields.toSorted((a, b) => a.number - b.number);
  const oneofs = new Map<DescOneof, OneofLayout>();
  for (const desc of sorted) {
    let oneof: OneofLayout | null = null;
    if (desc.oneof !== undefined) {
      oneof = oneofs.get(desc.oneof) ?? null;
      if (oneof === null) {
        const { name, localName } = desc.oneof;
        oneof = { name, localName, caseWord: 0, valueWord: 0, members: [] };
        oneofs.set(desc.oneof, oneof);
      }
    }
    const field = fieldLayout(desc, oneof, resolve);
    oneof?.members.push(field);
    layout.fields.push(field);
  }
  layout.oneofs = [...oneofs.values()];
  place(layout);
}

function fieldLayout(
  desc: DescField,
  oneof: OneofLayout | null,
  resolve: (type: DescMessage) => MessageLayout,
): FieldLayout {
  const value = valueLayout(desc, resolve);
  const key = desc.fieldKind === "map" ? scalarLayout(desc.mapKey, false) : null;
  return {
    name: desc.name,
    localName: desc.localName,
    number: desc.number,
    shape: desc.fieldKind === "list" ? "list" : desc.fieldKind === "map" ? "map" : "single",
    // 1 EXPLICIT, 2 IMPLICIT, 3 LEGACY_REQUIRED (google.protobuf.FeatureSet.FieldPresence).
    presence: desc.presence === 1 ? "explicit" : desc.presence === 3 ? "required" : "implicit",
    value,
    key,
    oneof,
    oneofCase: oneof === null ? 0 : oneof.members.length + 1,
    word: -1,
    presenceBit: -1,
    valueBit: -1,
    entry: key === null ? { key: 0, value: 0, bytes: 0 } : entryLayout(key, value),
  };
}

function valueLayout(field: DescField, resolve: (type: DescMessage) => MessageLayout): ValueLayout {
  if (field.message !== undefined) {
    const isSingle = field.fieldKind === "message" && field.oneof === undefined;
    const isStruct =
      field.message.typeName === "google.protobuf.Struct" &&
      field.parent.typeName !== "google.protobuf.Value";
    return {
      kind: "message",
      scalar: null,
      longAsString: false,
      message: resolve(field.message),
      enum: null,
      form: isSingle && isWrapperType(field.message) ? "wrapper" : isStruct ? "struct" : "plain",
    };
  }
  if (field.enum !== undefined) {
    return {
      kind: "enum",
      scalar: null,
      longAsString: false,
      message: null,
      enum: field.enum,
      form: "plain",
    };
  }
  const asString = "longAsString" in field && field.longAsString;
  return scalarLayout(field.scalar, asString);
}

function scalarLayout(scalar: ScalarType, longAsString: boolean): ValueLayout {
  const kind = kinds[scalar];
  return { kind, scalar, longAsString, message: null, enum: null, form: "plain" };
}

const kinds: Record<ScalarType, ValueKind> = {
  [ScalarType.DOUBLE]: "f64",
  [ScalarType.FLOAT]: "f32",
  [ScalarType.INT64]: "i64",
  [ScalarType.UINT64]: "u64",
  [ScalarType.INT32]: "i32",
  [ScalarType.FIXED64]: "u64",
  [ScalarType.FIXED32]: "u32",
  [ScalarType.BOOL]: "bool",
  [ScalarType.STRING]: "string",
  [ScalarType.BYTES]: "bytes",
  [ScalarType.UINT32]: "u32",
  [ScalarType.SFIXED32]: "i32",
  [ScalarType.SFIXED64]: "i64",
  [ScalarType.SINT32]: "i32",
  [ScalarType.SINT64]: "i64",
};

/** 8-byte values first, so that the others need no alignment. */
function entryLayout(key: ValueLayout, value: ValueLayout): FieldLayout["entry"] {
  const words = (kind: ValueKind): number => (isPair(kind) || isWide(kind) ? 2 : 1);
  const isValueFirst = isWide(value.kind) && !isWide(key.kind);
  const bytes = ((words(key.kind) + words(value.kind)) * 4 + 7) & ~7;
  return isValueFirst ? { key: 2, value: 0, bytes } : { key: 0, value: words(key.kind), bytes };
}

/** Gives every field its place. Decided by field numbers and kinds alone, so that equal types agree. */
function place(layout: MessageLayout): void {
  let bits = 0;
  for (const field of layout.fields) {
    if (field.shape !== "single" || field.oneof !== null) continue;
    const isReference = field.value.kind === "message";
    if (field.presence !== "implicit" && !isReference) field.presenceBit = bits++;
    if (field.value.kind === "bool") field.valueBit = bits++;
  }
  layout.flagWords = (bits + 31) >> 5;
  let word = 1 + layout.flagWords;
  for (const oneof of layout.oneofs) oneof.caseWord = word++;
  const plain = layout.fields.filter((f) => f.oneof === null && f.valueBit === -1);
  const isTwo = (f: FieldLayout): boolean => f.shape !== "single" || isPair(f.value.kind);
  for (const field of plain) {
    if (!isTwo(field) && !isWide(field.value.kind)) field.word = word++;
  }
  for (const field of plain) {
    if (isTwo(field)) {
      field.word = word;
      word += 2;
    }
  }
  if ((word & 1) === 1) layout.paddingWords.push(word++);
  for (const field of plain) {
    if (field.shape === "single" && isWide(field.value.kind)) {
      field.word = word;
      word += 2;
    }
  }
  for (const oneof of layout.oneofs) {
    oneof.valueWord = word;
    for (const member of oneof.members) member.word = word;
    word += 2;
  }
  layout.bytes = word * 4;
}

/** Mirrors the rule of protobuf-es `create()`: proto2 always, proto3 never, editions when needed. */
function usesPrototype(desc: DescMessage): boolean {
  const edition: number = desc.file.edition;
  if (edition === 999) return false;
  if (edition === 998) return true;
  return desc.fields.some((f) => f.presence !== 2 && f.fieldKind !== "message" && !f.oneof);
}
