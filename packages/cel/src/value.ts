/** A value while code is generated: its type, and the JavaScript expression that gives it. */
import { type IntegerType, isInteger, isTime, type Type } from "./type.ts";

export interface Value {
  readonly type: Type;
  /** JavaScript without side effects; text from outside is in it only as a quoted literal. */
  readonly code: string;
  /** A name or a literal: may be written more than once. */
  readonly isSimple: boolean;
  /** What a literal stands for. */
  readonly constant?: bigint | number | string | boolean | Uint8Array | null;
  /** For integers in the form of a number: no value is farther from 0. */
  readonly bound?: number;
  /** `request.city.name`, for what can be reached from a variable by names alone. */
  readonly path?: string;
}

/** Numbers of integers stay below, so that they are exact. */
export const safeMax: number = Number.MAX_SAFE_INTEGER;

export const errorValue: Value = { type: { kind: "error" }, code: "undefined", isSimple: true };

export function isError(value: Value): boolean {
  return value.type.kind === "error";
}

/** A string literal that no text can break out of. */
export function quote(text: string): string {
  // JSON leaves the two line ends of Unicode; in code they are fine since ES2019, in other tools not always.
  return JSON.stringify(text)
    .replace(/\u2028/g, "\\u2028")
    .replace(/\u2029/g, "\\u2029");
}

export function integerConstant(kind: "int" | "uint", value: bigint): Value {
  const number = Number(value);
  const isSafe = Math.abs(number) <= safeMax;
  return {
    type: { kind, form: isSafe ? "number" : "bigint" },
    code: isSafe ? literal(number) : value < 0n ? `(${value}n)` : `${value}n`,
    isSimple: true,
    constant: value,
    bound: Math.abs(number),
  };
}

function literal(number: number): string {
  return number < 0 || Object.is(number, -0) ? `(${number})` : String(number);
}

export function doubleConstant(value: number): Value {
  const code = Object.is(value, -0) ? "(-0)" : literal(value);
  return { type: { kind: "double" }, code, isSimple: true, constant: value };
}

/** An integer as a bigint. */
export function asBigint(value: Value): Value {
  const type = value.type as IntegerType;
  if (type.form === "bigint") return value;
  const { constant } = value;
  if (typeof constant === "bigint") {
    const code = constant < 0n ? `(${constant}n)` : `${constant}n`;
    return { type: { kind: type.kind, form: "bigint" }, code, isSimple: true, constant };
  }
  return {
    type: { kind: type.kind, form: "bigint" },
    code: `BigInt(${value.code})`,
    isSimple: false,
  };
}

/** What values of integers of at most 32 bits stay within. */
const bound32 = 2 ** 32;

export function boundOf(value: Value): number {
  return value.bound ?? bound32;
}

/** An integer in the form that elements of lists have: larger ones are bigints there. */
export function storable(value: Value): Value {
  const { type } = value;
  const isLarge = isInteger(type) && type.form === "number" && boundOf(value) > bound32;
  return isLarge ? asBigint(value) : value;
}

/** A number of any kind as a JavaScript number, which may round. */
export function asNumberCode(value: Value): string {
  const isBig = isInteger(value.type) && value.type.form === "bigint";
  return isBig ? `Number(${value.code})` : value.code;
}

/** A value that was stored in a message, a list or a map, in the form in which it is used. */
export function loaded(type: Type, code: string, isSimple: boolean): Value {
  if (isTime(type)) {
    if (type.form === "nanoseconds") return { type, code, isSimple };
    const used = { kind: type.kind, form: "nanoseconds" } as const;
    return { type: used, code: `rt.nanoseconds(${code})`, isSimple: false };
  }
  if (!isInteger(type)) return { type, code, isSimple };
  if (type.form === "text") {
    const used = { kind: type.kind, form: "bigint" } as const;
    return { type: used, code: `BigInt(${code})`, isSimple: false };
  }
  return { type, code, isSimple };
}
