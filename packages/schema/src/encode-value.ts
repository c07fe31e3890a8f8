/** What the sizer and the encoder of a type have in common: where values lie. */
import { elementBytes } from "./layout.ts";
import type { Source } from "./source.ts";
import type { WireField, WireForm } from "./wire-field.ts";

/** Where a value lies: a row of words or, for the elements of lists, a position. */
export interface Place {
  /** Word of the value; for bools in lists their byte, for messages in lists the struct's position. */
  readonly at: string;
  readonly isElement: boolean;
}

/** An expression for the position of a message. */
export function structAt({ at, isElement }: Place): string {
  return isElement ? at : `base + i32[${at}]`;
}

/** `b`, the position of the list, and `n`, how many it has. */
export function emitListHead(source: Source, { field }: WireField): void {
  source.line(`const b = base + i32[q + ${field.word}], n = i32[q + ${field.word + 1}];`);
}

/** Where element `i` of the list at `b` lies. */
export function elementOf({ field, form }: WireField): Place {
  const size = elementBytes(field.value);
  if (form === "message" || form === "group") return { at: `b + i * ${size}`, isElement: true };
  return { at: size === 8 ? "k + i * 2" : "k + i", isElement: true };
}

/** Lists that lie in memory as they do in a packed record. */
export function isSameInMemory(form: WireForm): boolean {
  return form === "bool" || form === "fixed32" || form === "fixed64";
}

/** Opens the loop over the entries of a map: `k` is the first word of one. */
export function emitMapHead(source: Source, { field }: WireField): void {
  source.line(`const b = base + i32[q + ${field.word}], n = i32[q + ${field.word + 1}];`);
  source.line("for (let i = 0; i < n; i++) {");
  source.line(`const k = (b + i * ${field.entry.bytes}) >> 2;`);
}
