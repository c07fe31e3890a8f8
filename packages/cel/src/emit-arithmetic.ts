/**
 * Arithmetic. Integers are of 64 bits and an overflow is a failure. As long as a result is certain to be
 * exact as a number, it is one; otherwise bigints are used.
 */
import type { Emitter } from "./emitter.ts";
import type { ArithmeticOperator } from "./expression.ts";
import { concatenationMax } from "./limits.ts";
import { timestampMax, timestampMin } from "./time-literal.ts";
import { doubleType, type IntegerType, isInteger, isTime, stringType } from "./type.ts";
import { asBigint, boundOf, safeMax, type Value } from "./value.ts";

/** Undefined when the operator is not defined for the types. */
export function emitArithmetic(
  emitter: Emitter,
  operator: ArithmeticOperator,
  a: Value,
  b: Value,
  offset: number,
): Value | undefined {
  if (isInteger(a.type) && a.type.kind === b.type.kind) {
    const isBoth = a.type.form === "number" && (b.type as IntegerType).form === "number";
    const bound = resultBound(operator, a, b);
    return isBoth && bound <= safeMax
      ? small(emitter, operator, a, b, bound, offset)
      : large(emitter, operator, asBigint(a), asBigint(b), offset);
  }
  if (a.type.kind === "double" && b.type.kind === "double") {
    if (operator === "%") return undefined;
    return { type: doubleType, code: `(${a.code} ${operator} ${b.code})`, isSimple: false };
  }
  if (a.type.kind === "string" && b.type.kind === "string" && operator === "+") {
    return concatenation(emitter, a, b, offset);
  }
  return isTime(a.type) && isTime(b.type) ? timeSum(emitter, operator, a, b, offset) : undefined;
}

function resultBound(operator: ArithmeticOperator, a: Value, b: Value): number {
  switch (operator) {
    case "+":
    case "-":
      return boundOf(a) + boundOf(b);
    case "*":
      return boundOf(a) * boundOf(b);
    default:
      return boundOf(a);
  }
}

function refuseZero(emitter: Emitter, divisor: Value, offset: number): void {
  if (divisor.constant !== undefined && divisor.constant !== 0n) return;
  const zero = (divisor.type as IntegerType).form === "bigint" ? "0n" : "0";
  emitter.line(`if (${divisor.code} === ${zero}) ${emitter.failing(offset, "division by zero")}`);
}

/** `+ 0` because integers have no negative zero. */
function small(
  emitter: Emitter,
  operator: ArithmeticOperator,
  a: Value,
  b: Value,
  bound: number,
  offset: number,
): Value {
  const type = a.type as IntegerType;
  if (operator === "/" || operator === "%") {
    const divisor = emitter.simple(b);
    refuseZero(emitter, divisor, offset);
    const code =
      operator === "/"
        ? `(Math.trunc(${a.code} / ${divisor.code}) + 0)`
        : `(${a.code} % ${divisor.code} + 0)`;
    return { type, code, isSimple: false, bound };
  }
  const sum = `(${a.code} ${operator} ${b.code}${operator === "*" ? " + 0" : ""})`;
  const value: Value = { type, code: sum, isSimple: false, bound };
  if (type.kind === "int" || operator !== "-") return value;
  const difference = emitter.simple(value);
  emitter.line(`if (${difference.code} < 0) ${emitter.failing(offset, "uint overflow")}`);
  return difference;
}

function large(
  emitter: Emitter,
  operator: ArithmeticOperator,
  a: Value,
  b: Value,
  offset: number,
): Value {
  const type = a.type as IntegerType;
  const divides = operator === "/" || operator === "%";
  const right = divides ? emitter.simple(b) : b;
  if (divides) refuseZero(emitter, right, offset);
  const code = `(${a.code} ${operator} ${right.code})`;
  const result = emitter.simple({ type, code, isSimple: false });
  const wrap = type.kind === "int" ? "asIntN" : "asUintN";
  emitter.line(
    `if (BigInt.${wrap}(64, ${result.code}) !== ${result.code}) ` +
      emitter.failing(offset, `${type.kind} overflow`),
  );
  return result;
}

function concatenation(emitter: Emitter, a: Value, b: Value, offset: number): Value {
  const value = emitter.simple({
    type: stringType,
    code: `(${a.code} + ${b.code})`,
    isSimple: false,
  });
  const reason = `a string of more than ${concatenationMax} characters`;
  emitter.line(
    `if (${value.code}.length > ${concatenationMax}) ${emitter.failing(offset, reason)}`,
  );
  return value;
}

const operations: Record<string, "timestamp" | "duration"> = {
  "timestamp - timestamp": "duration",
  "timestamp + duration": "timestamp",
  "timestamp - duration": "timestamp",
  "duration + timestamp": "timestamp",
  "duration + duration": "duration",
  "duration - duration": "duration",
};

/** Years 1 to 9999 for timestamps; for durations what CEL has, 64 bits of nanoseconds. */
const ranges = {
  timestamp: [`${timestampMin}n`, `${timestampMax}n`],
  duration: ["-9223372036854775808n", "9223372036854775807n"],
} as const;

function timeSum(
  emitter: Emitter,
  operator: ArithmeticOperator,
  a: Value,
  b: Value,
  offset: number,
): Value | undefined {
  const kind = operations[`${a.type.kind} ${operator} ${b.type.kind}`];
  if (kind === undefined) return undefined;
  const type = { kind, form: "nanoseconds" } as const;
  const code = `(${a.code} ${operator} ${b.code})`;
  const sum = emitter.simple({ type, code, isSimple: false });
  const [min, max] = ranges[kind];
  emitter.line(
    `if (${sum.code} < ${min} || ${sum.code} > ${max}) ` +
      emitter.failing(offset, `${kind} overflow`),
  );
  return sum;
}
