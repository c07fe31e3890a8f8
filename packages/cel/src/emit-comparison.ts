/** Equality and order. Numbers of different types are compared by what they are worth. */
import type { ComparisonOperator } from "./expression.ts";
import { isInteger, isNumber, isTime } from "./type.ts";
import { asBigint, type Value } from "./value.ts";

/** `a == b` in brackets; undefined when the types can't be compared. */
export function equalCode(a: Value, b: Value): string | undefined {
  if (isNumber(a.type) && isNumber(b.type)) {
    const [x, y] = sameForm(a, b);
    const isBoth = isBig(x) === isBig(y);
    // Between a bigint and a number, == compares exactly.
    return `(${x.code} ${isBoth ? "===" : "=="} ${y.code})`;
  }
  if (a.type.kind !== b.type.kind) return undefined;
  switch (a.type.kind) {
    case "string":
    case "bool":
    case "timestamp":
    case "duration":
      return `(${a.code} === ${b.code})`;
    case "null":
      return "(true)";
    case "bytes":
      return `rt.sameBytes(${a.code}, ${b.code})`;
    default:
      return undefined;
  }
}

/** `a < b` and the like. */
export function orderCode(operator: ComparisonOperator, a: Value, b: Value): string | undefined {
  if (isNumber(a.type) && isNumber(b.type)) {
    const [x, y] = sameForm(a, b);
    return `(${x.code} ${operator} ${y.code})`;
  }
  if (a.type.kind !== b.type.kind) return undefined;
  if (isTime(a.type) || a.type.kind === "bool") return `(${a.code} ${operator} ${b.code})`;
  if (a.type.kind === "string") return `(rt.compare(${a.code}, ${b.code}) ${operator} 0)`;
  return undefined;
}

/** A literal takes the form of what it is compared with. */
function sameForm(a: Value, b: Value): [Value, Value] {
  if (isBig(a) && isInteger(b.type) && b.constant !== undefined) return [a, asBigint(b)];
  if (isBig(b) && isInteger(a.type) && a.constant !== undefined) return [asBigint(a), b];
  return [a, b];
}

function isBig({ type }: Value): boolean {
  return isInteger(type) && type.form === "bigint";
}
