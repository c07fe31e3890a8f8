/** From a text to a function. */
import { visit } from "./emit.ts";
import { Emitter } from "./emitter.ts";
import type { Environment } from "./environment.ts";
import type { Failure } from "./failure.ts";
import { parse } from "./parser.ts";
import { prelude } from "./prelude.ts";
import type { Problem } from "./problem.ts";
import { describeType, type Type } from "./type.ts";

/** Values of variables, by name. Those that an evaluation does not come to are not read. */
export type Variables = object;

/** What an expression needs to know. */
export interface Needs {
  /** Variables in it. */
  readonly variables: ReadonlySet<string>;
  /** What it reads of them: `request.city.name`, `caller.app`, `metadata`. */
  readonly reads: ReadonlySet<string>;
}

export interface Compiled extends Needs {
  readonly type: Type;
  /** The value, or the `Failure` that came in its place. Throws only what reading a variable throws. */
  evaluate(variables: Variables): unknown;
  /** The generated code, for whoever debugs it. */
  readonly source: string;
}

/** One of the conditions of `compileFirst`. */
export interface Condition {
  /** Asked first; without it, the expression decides alone. Must not throw. */
  readonly guard?: (variables: Variables) => boolean;
  /** Of type bool; without it, the guard decides alone. */
  readonly expression?: string;
  /** Whether the condition counts as met when the expression fails. */
  readonly onFailure: boolean;
}

export interface First extends Needs {
  /** Index of the first condition that is met, -1 when none is. Throws only what reading a variable throws. */
  decide(variables: Variables): number;
  readonly source: string;
}

/** A problem of one of several conditions. */
export interface ConditionProblem extends Problem {
  readonly condition: number;
}

/** What is wrong with the syntax of an expression; what its names mean is not looked at. */
export function checkSyntax(text: string): readonly Problem[] {
  const parsed = parse(text);
  return "kind" in parsed ? [] : [parsed];
}

/**
 * What is wrong with a condition, as far as the environment tells: nothing is said about variables of
 * `unknownType`, and about full names, which may be those of enums in it.
 */
export function checkCondition(text: string, environment: Environment): readonly Problem[] {
  const parsed = parse(text);
  if (!("kind" in parsed)) return [parsed];
  const emitter = new Emitter(environment, visit);
  emitter.begin(text);
  const { result } = emitter.catching("e", () => emitter.emit(parsed));
  const { kind } = result.type;
  return kind === "bool" || kind === "error"
    ? emitter.problems
    : [...emitter.problems, noBool(result.type)];
}

function noBool(type: Type): Problem {
  const message = `a condition is a bool, found ${describeType(type)}`;
  return { message, offset: 0, line: 1, column: 1 };
}

/** Compiles an expression, or says what is wrong with it. */
export function compileExpression(
  text: string,
  environment: Environment,
): Compiled | readonly Problem[] {
  const parsed = parse(text);
  if (!("kind" in parsed)) return [parsed];
  const emitter = new Emitter(environment, visit);
  emitter.begin(text);
  const { result, lines, caught } = emitter.catching("e", () => emitter.emit(parsed));
  if (emitter.problems.length > 0) return emitter.problems;
  const value = `return ${result.code};`;
  const body = caught.isUsed
    ? ["let e = 0;", `${caught.label}: {`, ...lines, value, "}", "return failures[e];"]
    : [...lines, value];
  const source = emitter.functionText(body);
  return {
    type: result.type,
    variables: emitter.variables,
    reads: emitter.reads,
    evaluate: instantiate(source, emitter) as (variables: Variables) => unknown,
    source,
  };
}

/**
 * Compiles conditions to one function that finds the first that is met. What several of them read is read
 * once. `failed` gets what an expression failed with.
 */
export function compileFirst(
  conditions: readonly Condition[],
  environment: Environment,
  failed?: (condition: number, failure: Failure) => void,
): First | readonly ConditionProblem[] {
  const emitter = new Emitter(environment, visit);
  const problems: ConditionProblem[] = [];
  const body: string[] = [];
  const report = failed === undefined ? undefined : emitter.constant(failed);
  for (const [index, condition] of conditions.entries()) {
    const { lines, found } = emitCondition(emitter, condition, index, report);
    problems.push(...found.map((problem) => ({ ...problem, condition: index })));
    body.push(...lines);
  }
  if (problems.length > 0) return problems;
  const source = emitter.functionText([...body, "return -1;"]);
  return {
    variables: emitter.variables,
    reads: emitter.reads,
    decide: instantiate(source, emitter) as (variables: Variables) => number,
    source,
  };
}

function emitCondition(
  emitter: Emitter,
  { guard, expression, onFailure }: Condition,
  index: number,
  report: string | undefined,
): { lines: string[]; found: readonly Problem[] } {
  const test = guard === undefined ? "" : `if (${emitter.constant(guard)}(vars)) `;
  if (expression === undefined) return { lines: [`${test}return ${index};`], found: [] };
  const parsed = parse(expression);
  if (!("kind" in parsed)) return { lines: [], found: [parsed] };
  emitter.begin(expression);
  const { result, lines, caught } = emitter.catching("e", () => emitter.emit(parsed));
  const found = emitter.problems.splice(0);
  if (found.length > 0) return { lines: [], found };
  if (result.type.kind !== "bool") return { lines: [], found: [noBool(result.type)] };
  const decision = `if (${result.code}) return ${index};`;
  if (!caught.isUsed) return { lines: [`${test}{`, ...lines, decision, "}"], found };
  // The block of failures is left when there was none.
  const end = emitter.name("d");
  const all = [`${test}${end}: {`, "let e = 0;", `${caught.label}: {`, ...lines, decision];
  all.push(`break ${end};`, "}");
  if (report !== undefined) all.push(`${report}(${index}, failures[e]);`);
  if (onFailure) all.push(`return ${index};`);
  all.push("}");
  return { lines: all, found };
}

type Make = (
  constants: readonly unknown[],
  failures: readonly (Failure | null)[],
  rt: object,
) => unknown;

function instantiate(source: string, { constants, failures }: Emitter): unknown {
  const make = new Function("constants", "failures", "rt", source) as Make;
  return make(constants, failures, prelude);
}
