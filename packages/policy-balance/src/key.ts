/** What `consistent_hash` goes by: the value of an expression over the call. */
import {
  CallInput,
  type Compiled,
  compileExpression,
  describeType,
  isProblems,
  methodEnvironment,
  type Problem,
} from "@koala/cel";
import type { ConfigProblem, PolicyCall, PreparedMethod } from "@koala/policy";

/** Values of these types can be a key. */
const keyKinds: readonly string[] = ["string", "int", "uint", "bool"];

/** The key of a call; "" for a call without one. */
export type KeyOf = (call: PolicyCall) => string;

/** What is wrong with the expression for the messages of a method. */
export function checkKey(text: string, method: PreparedMethod): readonly ConfigProblem[] {
  return compile(text, method).problems;
}

/** Undefined when the expression does not fit the method; `checkKey` says why. */
export function keyFor(text: string, method: PreparedMethod): KeyOf | undefined {
  const { compiled } = compile(text, method);
  if (compiled === undefined) return undefined;
  const input = new CallInput();
  return (call) => {
    input.call = call;
    const value = compiled.evaluate(input);
    input.call = null;
    return typeof value === "object" ? "" : String(value);
  };
}

function compile(
  text: string,
  method: PreparedMethod,
): { compiled?: Compiled; problems: readonly ConfigProblem[] } {
  const compiled = compileExpression(text, methodEnvironment(method));
  const path = ["key"];
  if (isProblems<Problem>(compiled)) {
    return { problems: compiled.map(({ message, offset }) => ({ path, message, offset })) };
  }
  if (keyKinds.includes(compiled.type.kind)) return { compiled, problems: [] };
  const message = `a key is a string, an integer or a bool, found ${describeType(compiled.type)}`;
  return { problems: [{ path, message, offset: 0 }] };
}
