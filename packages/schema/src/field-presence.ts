/** What generated code asks of a struct: is this field there? */
import { type FieldLayout, isPair, isWide } from "./layout.ts";

/**
 * An expression: would the field of the struct at word `row` be on protobuf's wire? `words` is the name of the
 * `Int32Array`.
 */
export function isSet(field: FieldLayout, words: string, row: string): string {
  if (field.oneof !== null)
    return `${words}[${row} + ${field.oneof.caseWord}] === ${field.oneofCase}`;
  if (field.shape !== "single") return `${words}[${row} + ${field.word + 1}] !== 0`;
  if (field.presenceBit >= 0) return flagOf(field.presenceBit, words, row);
  if (field.valueBit >= 0) return flagOf(field.valueBit, words, row);
  const at = `${row} + ${field.word}`;
  if (isPair(field.value.kind)) return `(${words}[${at} + 1] & 0x7fffffff) !== 0`;
  if (isWide(field.value.kind)) return `(${words}[${at}] | ${words}[${at} + 1]) !== 0`;
  return `${words}[${at}] !== 0`;
}

/** An expression: is this flag bit of the struct at word `row` set? */
export function flagOf(bit: number, words: string, row: string): string {
  return `(${words}[${row} + ${1 + (bit >> 5)}] & ${1 << (bit & 31)}) !== 0`;
}
