/** Operators between two values. */
import { emitArithmetic } from "./emit-arithmetic.ts";
import { equalCode, orderCode } from "./emit-comparison.ts";
import { isKey } from "./emit-map.ts";
import { present } from "./emit-present.ts";
import type { Emitter } from "./emitter.ts";
import type { Binary } from "./expression.ts";
import {
  boolType,
  describeType,
  isInteger,
  isNumber,
  isSameType,
  type ListType,
  type NullableType,
} from "./type.ts";
import { errorValue, isError, loaded, type Value } from "./value.ts";

export function emitBinary(emitter: Emitter, expression: Binary): Value {
  const { operator, offset } = expression;
  const left = emitter.emit(expression.left);
  const right = emitter.emit(expression.right);
  if (isError(left) || isError(right)) return errorValue;
  switch (operator) {
    case "in":
      return emitIn(emitter, left, right, offset);
    case "==":
    case "!=":
      return emitEquality(emitter, left, right, operator === "!=", offset);
    case "<":
    case "<=":
    case ">":
    case ">=": {
      const a = present(emitter, left, expression.left.offset);
      const b = present(emitter, right, expression.right.offset);
      const code = orderCode(operator, a, b);
      return code === undefined ? mismatch(emitter, operator, a, b, offset) : flag(code);
    }
    default: {
      const a = present(emitter, left, expression.left.offset);
      const b = present(emitter, right, expression.right.offset);
      const value = emitArithmetic(emitter, operator, a, b, offset);
      return value ?? mismatch(emitter, operator, a, b, offset);
    }
  }
}

function flag(code: string): Value {
  return { type: boolType, code, isSimple: false };
}

function mismatch(emitter: Emitter, operator: string, a: Value, b: Value, offset: number): Value {
  const types = `${describeType(a.type)} and ${describeType(b.type)}`;
  return emitter.problem(offset, `${operator} is not defined for ${types}${hint(a, b, operator)}`);
}

function hint(a: Value, b: Value, operator: string): string {
  const kinds = [a.type.kind, b.type.kind];
  if (isNumber(a.type) && isNumber(b.type) && operator !== "%") {
    return "; convert one of them with int(), uint() or double()";
  }
  if (kinds.includes("message") && kinds.includes("null")) return "; use has()";
  return kinds.includes("message") ? "; compare their fields" : "";
}

function emitEquality(
  emitter: Emitter,
  left: Value,
  right: Value,
  isNegated: boolean,
  offset: number,
): Value {
  const code = equalityCode(emitter, left, right);
  if (code === undefined) {
    return mismatch(emitter, isNegated ? "!=" : "==", left, right, offset);
  }
  return flag(isNegated ? `!${code}` : code);
}

/** In brackets. */
function equalityCode(emitter: Emitter, left: Value, right: Value): string | undefined {
  const isLeft = left.type.kind === "nullable";
  const isRight = right.type.kind === "nullable";
  if (!isLeft && !isRight) return equalCode(left, right);
  if (right.type.kind === "null") return `(${left.code} == null)`;
  if (left.type.kind === "null") return `(${right.code} == null)`;
  const a = emitter.simple(left);
  const b = emitter.simple(right);
  const x = isLeft ? loaded((left.type as NullableType).of, a.code, true) : a;
  const y = isRight ? loaded((right.type as NullableType).of, b.code, true) : b;
  const equal = equalCode(x, y);
  if (equal === undefined) return undefined;
  if (isLeft && isRight) {
    return `(${a.code} == null || ${b.code} == null ? ${a.code} == ${b.code} : ${equal})`;
  }
  return `(${isLeft ? a.code : b.code} != null && ${equal})`;
}

function emitIn(emitter: Emitter, left: Value, right: Value, offset: number): Value {
  const { type } = right;
  if (type.kind === "map") {
    if (right.path !== undefined) emitter.reads.add(right.path);
    return isKey(emitter, right, type, present(emitter, left, offset), offset);
  }
  if (type.kind !== "list") {
    const message = `in needs a list or a map on its right, found ${describeType(type)}`;
    return emitter.problem(offset, message);
  }
  return inList(emitter, present(emitter, left, offset), right, type, offset);
}

/** Constant lists become a set; others are searched. */
function inList(
  emitter: Emitter,
  needle: Value,
  list: Value,
  type: ListType,
  offset: number,
): Value {
  if (list.code === "[]") return flag("false");
  const values = constantElements(emitter, list);
  if (values !== undefined && isSetOf(type, needle)) {
    return flag(`${emitter.constant(setOf(values, needle))}.has(${needle.code})`);
  }
  const probe = loaded(type.element, "x", true);
  if (equalCode(needle, probe) === undefined) {
    const types = `${describeType(needle.type)} in ${describeType(type)}`;
    return emitter.problem(offset, `in is not defined for ${types}`);
  }
  const elements = emitter.simple(list);
  if (values === undefined) emitter.step(offset, `${elements.code}.length`);
  if (isSameType(needle.type, type.element) && isIdentity(needle)) {
    // Not includes: it finds NaN.
    return flag(`(${elements.code}.indexOf(${needle.code}) >= 0)`);
  }
  const sought = emitter.simple(needle);
  const found = emitter.name("t");
  const element = emitter.name("x");
  emitter.line(`let ${found} = false;`);
  emitter.line(`for (const ${element} of ${elements.code}) {`);
  const equal = equalCode(sought, loaded(type.element, element, true))!;
  emitter.line(`if (${equal}) { ${found} = true; break; }`);
  emitter.line("}");
  return { type: boolType, code: found, isSimple: true };
}

function isIdentity({ type }: Value): boolean {
  return isNumber(type) || type.kind === "string" || type.kind === "bool";
}

function constantElements(emitter: Emitter, list: Value): readonly unknown[] | undefined {
  const index = /^k(\d+)$/.exec(list.code)?.[1];
  return index === undefined ? undefined : (emitter.constants[Number(index)] as unknown[]);
}

/** Whether a set finds what `==` would: strings, and integers once they are in one form. */
function isSetOf({ element }: ListType, needle: Value): boolean {
  if (element.kind === "string") return needle.type.kind === "string";
  return isInteger(element) && isInteger(needle.type);
}

function setOf(values: readonly unknown[], needle: Value): Set<unknown> {
  if (!isInteger(needle.type)) return new Set(values);
  const isBig = needle.type.form === "bigint";
  const integers = values as readonly (number | bigint)[];
  return new Set(integers.map((value) => (isBig ? BigInt(value) : Number(value))));
}
