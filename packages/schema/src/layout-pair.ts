/**
 * Two versions of a message type side by side: which fields meet, by protobuf's evolution rules, and
 * where the versions can't be reconciled.
 */
import { ScalarType } from "@bufbuild/protobuf";
import { KoalaError } from "@koala/interface";
import type { FieldLayout, MessageLayout, ValueLayout } from "./layout.ts";

export interface LayoutPair {
  readonly source: MessageLayout;
  readonly target: MessageLayout;
  /** One for each field of the target, in its order; `null`: the source does not have it. */
  readonly matches: readonly {
    readonly target: FieldLayout;
    readonly source: FieldLayout | null;
  }[];
}

/** All pairs of types that meet when `source` becomes `target`, these two first. */
export interface PairClosure {
  readonly pairs: readonly LayoutPair[];
  indexOf(source: MessageLayout, target: MessageLayout): number;
}

/** Pairs types and fields. Throws a KoalaError `ERR_SCHEMA_CONFLICT` that names file, message and field. */
export function pairLayouts(source: MessageLayout, target: MessageLayout): PairClosure {
  const pairs: LayoutPair[] = [];
  const indexes = new Map<MessageLayout, Map<MessageLayout, number>>();
  const pending: [MessageLayout, MessageLayout][] = [];
  const enter = (from: MessageLayout, to: MessageLayout): void => {
    let targets = indexes.get(from);
    if (targets === undefined) {
      targets = new Map();
      indexes.set(from, targets);
    }
    if (targets.has(to)) return;
    targets.set(to, pairs.length + pending.length);
    pending.push([from, to]);
  };
  enter(source, target);
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    const [from, to] = next;
    const byNumber = new Map(from.fields.map((field) => [field.number, field]));
    const matches = to.fields.map((field) => {
      const other = byNumber.get(field.number) ?? null;
      checkMatch(from, to, other, field);
      return { target: field, source: other };
    });
    pairs.push({ source: from, target: to, matches });
    for (const match of matches) {
      const child = match.source?.value.message;
      if (child && match.target.value.message !== null) enter(child, match.target.value.message);
    }
  }
  return { pairs, indexOf: (from, to) => indexes.get(from)?.get(to) ?? -1 };
}

/** Whether all bytes of a source message mean the same in the target: only names differ, if anything. */
export function isSameLayout(closure: PairClosure): boolean {
  return closure.pairs.every(({ source, target }) => shape(source) === shape(target));
}

function shape(layout: MessageLayout): string {
  const value = (v: ValueLayout | null): unknown => [
    v?.kind,
    v?.scalar,
    v?.enum?.open === false ? v.enum.values.map((e) => e.number).sort((a, b) => a - b) : "",
  ];
  const fields = layout.fields.map((f) => [
    [f.number, f.shape, f.presence, f.word, f.presenceBit, f.valueBit, f.oneofCase],
    [f.oneof?.caseWord ?? -1, value(f.value), value(f.key), f.entry],
  ]);
  return JSON.stringify([layout.bytes, fields]);
}

function checkMatch(
  from: MessageLayout,
  to: MessageLayout,
  source: FieldLayout | null,
  target: FieldLayout,
): void {
  if (source === null) {
    if (target.presence !== "required") return;
    throw conflict(to, target, "is required, and the other version does not have it");
  }
  const isOneMap = (source.shape === "map") !== (target.shape === "map");
  const areCompatible =
    !isOneMap &&
    isCompatible(source.value, target.value) &&
    (source.key === null || target.key === null || isCompatible(source.key, target.key));
  if (areCompatible) return;
  const [one, other] = [typeText(source), typeText(target)];
  const where = `${source.name} in ${from.desc.file.proto.name}`;
  throw conflict(to, target, `is ${other} here and ${one} in the other version (${where})`);
}

function conflict(layout: MessageLayout, field: FieldLayout, what: string): KoalaError {
  const where = `${layout.desc.file.proto.name}: ${layout.typeName}.${field.name} (${field.number})`;
  return new KoalaError("ERR_SCHEMA_CONFLICT", `${where} ${what}`);
}

/** Protobuf's groups of types that can replace each other without breaking old messages. */
const groups: readonly (readonly ScalarType[])[] = [
  [ScalarType.INT32, ScalarType.UINT32, ScalarType.INT64, ScalarType.UINT64, ScalarType.BOOL],
  [ScalarType.SINT32, ScalarType.SINT64],
  [ScalarType.FIXED32, ScalarType.SFIXED32],
  [ScalarType.FIXED64, ScalarType.SFIXED64],
  [ScalarType.STRING, ScalarType.BYTES],
];

function isCompatible(a: ValueLayout, b: ValueLayout): boolean {
  if (a.message !== null || b.message !== null) return a.message !== null && b.message !== null;
  // Enums travel as int32.
  const [one, other] = [a.scalar ?? ScalarType.INT32, b.scalar ?? ScalarType.INT32];
  return one === other || groups.some((g) => g.includes(one) && g.includes(other));
}

function typeText(field: FieldLayout): string {
  const value = valueText(field.value);
  if (field.shape === "map") return `map<${valueText(field.key!)}, ${value}>`;
  return field.shape === "list" ? `repeated ${value}` : value;
}

function valueText(value: ValueLayout): string {
  if (value.message !== null) return `message ${value.message.typeName}`;
  if (value.enum !== null) return `enum ${value.enum.typeName}`;
  return ScalarType[value.scalar!]!.toLowerCase();
}
