/** Checks the types of an expression and generates its code, in one walk. */
import { emitBinary } from "./emit-binary.ts";
import { emitCall } from "./emit-call.ts";
import { emitHas, emitIndex, emitSelect } from "./emit-field.ts";
import { emitLogic } from "./emit-logic.ts";
import { emitPresent } from "./emit-present.ts";
import type { Emitter } from "./emitter.ts";
import { enumValue, hasUnknown } from "./environment.ts";
import type { Condition, Expression, List, Literal, Name, Unary } from "./expression.ts";
import { quoted } from "./lexer.ts";
import {
  boolType,
  bytesType,
  describeType,
  type IntegerType,
  isInteger,
  isSameType,
  type ListType,
  listType,
  nullType,
  stringType,
  type Type,
} from "./type.ts";
import {
  asBigint,
  boundOf,
  doubleConstant,
  errorValue,
  integerConstant,
  isError,
  quote,
  storable,
  type Value,
} from "./value.ts";

export function visit(emitter: Emitter, expression: Expression): Value {
  switch (expression.kind) {
    case "literal":
      return emitLiteral(emitter, expression);
    case "name":
      return emitName(emitter, expression);
    case "select":
      return emitEnum(emitter, expression) ?? emitSelect(emitter, expression);
    case "index":
      return emitIndex(emitter, expression);
    case "list":
      return emitList(emitter, expression);
    case "unary":
      return emitUnary(emitter, expression);
    case "binary":
      return emitBinary(emitter, expression);
    case "logic":
      return emitLogic(emitter, expression);
    case "condition":
      return emitCondition(emitter, expression);
    case "call":
      return expression.name === "has" && expression.target === null
        ? emitHas(emitter, expression)
        : emitCall(emitter, expression);
  }
}

function emitLiteral(emitter: Emitter, { type, value }: Literal): Value {
  switch (type) {
    case "int":
    case "uint":
      return integerConstant(type, value as bigint);
    case "double":
      return doubleConstant(value as number);
    case "string": {
      const constant = value as string;
      return { type: stringType, code: quote(constant), isSimple: true, constant };
    }
    case "bytes": {
      const constant = value as Uint8Array;
      return { type: bytesType, code: emitter.constant(constant), isSimple: true, constant };
    }
    case "bool":
      return { type: boolType, code: String(value), isSimple: true, constant: value as boolean };
    case "null":
      return { type: nullType, code: "null", isSimple: true, constant: null };
  }
}

/** What a name stands for: the variable of a macro, or one of the environment. */
function lookUp(emitter: Emitter, name: string): Value | Type | undefined {
  const local = emitter.scope.findLast((entry) => entry.name === name);
  if (local !== undefined) return local.value;
  const { variables } = emitter.environment;
  return Object.hasOwn(variables, name) ? variables[name] : undefined;
}

function emitName(emitter: Emitter, { name, offset }: Name): Value {
  const found = lookUp(emitter, name);
  if (found === undefined) {
    const variables = Object.keys(emitter.environment.variables).join(", ");
    return emitter.problem(offset, `unknown name ${quoted(name)}; there are: ${variables}`);
  }
  if ("code" in found) return found;
  return found.kind === "error" ? errorValue : emitter.variable(name, found);
}

/** `geo.v1.Kind.CITY`: names all the way, of which the first is no variable. */
function emitEnum(emitter: Emitter, expression: Expression): Value | undefined {
  const names: string[] = [];
  let at = expression;
  while (at.kind === "select") {
    names.unshift(at.field);
    at = at.operand;
  }
  if (at.kind !== "name" || lookUp(emitter, at.name) !== undefined) return undefined;
  const name = [at.name, ...names].join(".");
  const value = enumValue(emitter.environment, name);
  if (value !== undefined) return integerConstant("int", BigInt(value));
  if (hasUnknown(emitter.environment)) return errorValue;
  const variables = Object.keys(emitter.environment.variables).join(", ");
  const expected = `neither an enum value nor a variable; there are: ${variables}`;
  return emitter.problem(at.offset, `unknown name ${quoted(name)}: ${expected}`);
}

/** All elements have one type; integers are held the same way. */
function emitList(emitter: Emitter, { elements, offset }: List): Value {
  const values = elements.map((element) => storable(emitter.emit(element)));
  if (values.some(isError)) return errorValue;
  const first = values[0];
  // What an empty list has in it does not matter: nothing equals one of its elements.
  if (first === undefined) return { type: listType(stringType), code: "[]", isSimple: false };
  const same = unified(values);
  if (same === undefined) {
    const types = [...new Set(values.map(({ type }) => describeType(type)))].join(", ");
    return emitter.problem(offset, `the elements of a list have one type; found: ${types}`);
  }
  const code = `[${same.map((value) => value.code).join()}]`;
  if (!same.every((value) => value.constant !== undefined)) {
    return { type: listType(same[0]!.type), code, isSimple: false };
  }
  // A list of literals is made once.
  const constant = same.map((value) => heldConstant(value));
  return { type: listType(same[0]!.type), code: emitter.constant(constant), isSimple: true };
}

function heldConstant({ constant, type }: Value): unknown {
  return isInteger(type) && type.form === "number" ? Number(constant) : constant;
}

/** The values in one form; undefined when their types differ. */
function unified(values: readonly Value[]): readonly Value[] | undefined {
  const { type } = values[0]!;
  if (values.every((value) => isSameType(value.type, type))) return values;
  if (isInteger(type) && values.every((value) => value.type.kind === type.kind)) {
    return values.map(asBigint);
  }
  return values.every((value) => isListOf(value.type, type))
    ? values.map(listOfBigints)
    : undefined;
}

/** Whether both are lists of the same type of integer. */
function isListOf(type: Type, other: Type): boolean {
  if (type.kind !== "list" || other.kind !== "list") return false;
  return isInteger(type.element) && type.element.kind === other.element.kind;
}

function listOfBigints(value: Value): Value {
  const { kind } = (value.type as ListType).element as IntegerType;
  const code = `${value.code}.map(BigInt)`;
  return { type: listType({ kind, form: "bigint" }), code, isSimple: false };
}

function emitUnary(emitter: Emitter, { operator, operand, offset }: Unary): Value {
  const value = emitPresent(emitter, operand);
  const { type } = value;
  if (type.kind === "error") return value;
  if (operator === "!") {
    if (type.kind === "bool") return { type, code: `!(${value.code})`, isSimple: false };
    return emitter.problem(offset, `! needs a bool, found ${describeType(type)}`);
  }
  if (type.kind === "double") return { type, code: `(-${value.code})`, isSimple: false };
  if (type.kind !== "int") {
    return emitter.problem(offset, `- needs an int or a double, found ${describeType(type)}`);
  }
  // Not -x: there is no negative zero among integers.
  if (type.form === "number") {
    return { type, code: `(0 - ${value.code})`, isSimple: false, bound: boundOf(value) };
  }
  const negated = emitter.simple({ type, code: `(-${value.code})`, isSimple: false });
  emitter.line(
    `if (${negated.code} > 9223372036854775807n) ${emitter.failing(offset, "int overflow")}`,
  );
  return negated;
}

function emitCondition(emitter: Emitter, { test, yes, no, offset }: Condition): Value {
  const decided = emitPresent(emitter, test);
  const first = emitter.capture(() => emitter.emit(yes));
  const second = emitter.capture(() => emitter.emit(no));
  if (isError(decided) || isError(first.result) || isError(second.result)) return errorValue;
  if (decided.type.kind !== "bool") {
    const found = describeType(decided.type);
    return emitter.problem(test.offset, `what stands before ? is a bool; found ${found}`);
  }
  const same = unified([first.result, second.result]);
  if (same === undefined) {
    const types = `${describeType(first.result.type)} and ${describeType(second.result.type)}`;
    return emitter.problem(offset, `both values of a condition have one type; found ${types}`);
  }
  const [a, b] = same as [Value, Value];
  const bounds = { bound: Math.max(boundOf(a), boundOf(b)) };
  if (first.lines.length === 0 && second.lines.length === 0) {
    const code = `(${decided.code} ? ${a.code} : ${b.code})`;
    return { type: a.type, code, isSimple: false, ...bounds };
  }
  const name = emitter.name("t");
  emitter.line(`let ${name};`);
  emitter.line(`if (${decided.code}) {`);
  emitter.append([...first.lines, `${name} = ${a.code};`]);
  emitter.line("} else {");
  emitter.append([...second.lines, `${name} = ${b.code};`]);
  emitter.line("}");
  return { type: a.type, code: name, isSimple: true, ...bounds };
}
