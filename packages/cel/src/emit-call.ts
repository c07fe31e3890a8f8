/** Functions and methods. */
import { conversions, emitConversion } from "./emit-conversion.ts";
import { emitMacro, isMacro } from "./emit-macro.ts";
import { emitPresent } from "./emit-present.ts";
import type { Emitter } from "./emitter.ts";
import type { Call } from "./expression.ts";
import { quoted } from "./lexer.ts";
import { matchedLengthMax, needleLengthMax } from "./limits.ts";
import { patternMatcher } from "./pattern.ts";
import { boolType, describeType, intType } from "./type.ts";
import { errorValue, isError, type Value } from "./value.ts";

const methods = new Set(["startsWith", "endsWith", "contains", "matches", "size"]);

export function emitCall(emitter: Emitter, call: Call): Value {
  const { name, target, offset } = call;
  if (isMacro(call)) return emitMacro(emitter, call);
  if (name === "size") return emitSize(emitter, call);
  if (name === "matches" && target === null) return emitText(emitter, call);
  if (target !== null && methods.has(name)) return emitText(emitter, call);
  if (target === null && conversions.has(name)) return emitConversion(emitter, call);
  const known =
    target === null
      ? ["has", "size", "matches", ...conversions]
      : [...methods, "exists", "all", "exists_one", "filter", "map"];
  const what = target === null ? "function" : "method";
  return emitter.problem(offset, `no ${what} ${quoted(name)}; there are: ${known.join(", ")}`);
}

function emitSize(emitter: Emitter, { target, args, offset }: Call): Value {
  const operands = target === null ? args : [target, ...args];
  const [operand] = operands;
  if (operand === undefined || operands.length > 1) {
    return emitter.problem(offset, "size needs one value");
  }
  const value = emitPresent(emitter, operand);
  const code = sizeCode(value);
  if (isError(value)) return value;
  if (code === undefined) {
    const found = describeType(value.type);
    return emitter.problem(offset, `size needs a string, bytes, a list or a map, found ${found}`);
  }
  return { type: intType, code, isSimple: false };
}

function sizeCode({ type, code }: Value): string | undefined {
  switch (type.kind) {
    case "string":
      return `rt.countCharacters(${code})`;
    case "bytes":
    case "list":
      return `${code}.length`;
    case "map":
      return type.form === "lookup" ? `${code}.keys().length` : `Object.keys(${code}).length`;
    default:
      return undefined;
  }
}

/** Methods of strings that take a string. */
function emitText(emitter: Emitter, { name, target, args, offset }: Call): Value {
  const operands = target === null ? args : [target, ...args];
  if (operands.length !== 2) return emitter.problem(offset, `${name} needs one string`);
  const [text, argument] = operands.map((operand) => emitPresent(emitter, operand)) as [
    Value,
    Value,
  ];
  if (isError(text) || isError(argument)) return errorValue;
  if (text.type.kind !== "string" || argument.type.kind !== "string") {
    const types = `${describeType(text.type)} and ${describeType(argument.type)}`;
    return emitter.problem(offset, `${name} is defined for two strings, found ${types}`);
  }
  if (name === "matches") {
    return emitMatches(emitter, text, argument, operands[1]!.offset, offset);
  }
  if (name === "contains" && argument.constant === undefined) {
    return emitContains(emitter, text, argument, offset);
  }
  const method = name === "contains" ? "includes" : name;
  return { type: boolType, code: `${text.code}.${method}(${argument.code})`, isSimple: false };
}

/** Searching for a long text in a long text can take their product. */
function emitContains(emitter: Emitter, text: Value, argument: Value, offset: number): Value {
  const needle = emitter.simple(argument);
  const reason = `contains was to look for more than ${needleLengthMax} characters`;
  emitter.line(
    `if (${needle.code}.length > ${needleLengthMax}) ${emitter.failing(offset, reason)}`,
  );
  return { type: boolType, code: `${text.code}.includes(${needle.code})`, isSimple: false };
}

function emitMatches(
  emitter: Emitter,
  text: Value,
  { constant }: Value,
  patternOffset: number,
  offset: number,
): Value {
  if (typeof constant !== "string") {
    return emitter.problem(patternOffset, "the pattern of matches is a string literal");
  }
  const matcher = patternMatcher(constant);
  if (typeof matcher === "string") {
    return emitter.problem(patternOffset, `bad pattern: ${matcher}`);
  }
  const subject = emitter.simple(text);
  const reason = `matches was to look at more than ${matchedLengthMax} characters`;
  emitter.line(
    `if (${subject.code}.length > ${matchedLengthMax}) ${emitter.failing(offset, reason)}`,
  );
  const code = `${emitter.constant(matcher)}.test(${subject.code})`;
  return { type: boolType, code, isSimple: false };
}
