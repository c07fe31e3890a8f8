/**
 * Expressions in a subset of CEL, checked against a schema and compiled to functions.
 *
 * @example
 * ```ts
 * const compiled = compileExpression("request.kind == geo.v1.Kind.CITY && caller.uid != 0", {
 *   variables: { request: messageType(NearbyRequestSchema), caller: recordType("caller", { uid: intType }) },
 * });
 * if (isProblems(compiled)) throw new Error(compiled[0]?.message);
 * compiled.evaluate({ request, caller }); // true, false, or a Failure
 * ```
 *
 * @packageDocumentation
 */
import type { Problem } from "./problem.ts";

export {
  CallInput,
  callEnvironment,
  type KeptHeaders,
  keepHeaders,
  messageEnvironment,
  methodEnvironment,
} from "./call-input.ts";
export {
  type Compiled,
  type Condition,
  type ConditionProblem,
  checkCondition,
  checkSyntax,
  compileExpression,
  compileFirst,
  type First,
  type Needs,
  type Variables,
} from "./compile.ts";
export type { Environment } from "./environment.ts";
export { Failure } from "./failure.ts";
export { type Matcher, patternMatcher } from "./pattern.ts";
export type { Problem } from "./problem.ts";
export {
  boolType,
  bytesType,
  describeType,
  doubleType,
  intType,
  type Lookup,
  listType,
  lookupType,
  mapType,
  messageType,
  opaqueType,
  recordType,
  stringType,
  type Type,
  unknownType,
} from "./type.ts";

/** Whether compiling gave problems instead of a function. */
export function isProblems<T extends Problem>(result: object): result is readonly T[] {
  return Array.isArray(result);
}
