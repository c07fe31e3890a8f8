/** The rules that are for a method, compiled. */
import {
  type CallInput,
  type Condition,
  type ConditionProblem,
  compileExpression,
  compileFirst,
  type Environment,
  type Failure,
  type First,
  isProblems,
  messageEnvironment,
  methodEnvironment,
} from "@koala/cel";
import { assert } from "@koala/interface";
import { fits, type PreparedMethod } from "@koala/policy";
import type { MethodSchema } from "@koala/schema";
import { callerGuard } from "./caller-guard.ts";
import type { AclConfig, AclRule } from "./config.ts";

/** More in one function would keep V8 from optimising it. */
const rulesPerFunction = 32;

/** A function for some of the rules. */
interface Part {
  readonly rules: readonly AclRule[];
  readonly first: First;
}

/** An expression that is wrong for a method. */
export interface RuleProblem extends ConditionProblem {
  readonly rule: AclRule;
  /** Place of the rule in the configuration. */
  readonly index: number;
}

export class RuleSet {
  /** Told of each expression that fails. */
  failed: ((rule: AclRule, failure: Failure) => void) | undefined = undefined;
  /**
   * For the begin of a call that takes a stream: the same rules, of which those about its messages fit
   * whatever these will be. Undefined when no rule is about them.
   */
  opening: RuleSet | undefined = undefined;
  private readonly parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    this.parts = parts;
  }

  /** The configuration has no rule that is for the method. */
  get isEmpty(): boolean {
    return this.parts.length === 0;
  }

  /** The first rule that fits the call; undefined when none does. */
  find(input: CallInput): AclRule | undefined {
    for (const { rules, first } of this.parts) {
      const index = first.decide(input);
      if (index >= 0) return rules[index];
    }
    return undefined;
  }
}

/** What checking has compiled, so that attaching need not: calls wait meanwhile. */
const checked = new WeakMap<AclConfig, Map<MethodSchema, RuleSet>>();

/** What is wrong with the rules that are for a method; they are kept compiled when nothing is. */
export function checkRules(config: AclConfig, method: PreparedMethod): readonly RuleProblem[] {
  const { set, problems } = compileRules(config, method);
  if (problems.length > 0) return problems;
  const sets = checked.get(config) ?? new Map<MethodSchema, RuleSet>();
  checked.set(config, sets.set(method.method, set));
  return [];
}

/** The rules that are for a method, and what is wrong with those that do not fit it. */
export function preparedRules(
  config: AclConfig,
  method: PreparedMethod,
): { set: RuleSet; problems: readonly RuleProblem[] } {
  const set = checked.get(config)?.get(method.method);
  return set === undefined ? compileRules(config, method) : { set, problems: [] };
}

/** Whether a rule may be about the messages of the streams that a method takes; `opening` says it exactly. */
export function mayReadMessages(config: AclConfig, method: PreparedMethod): boolean {
  if (!takesStream(method)) return false;
  return rulesFor(config, method).some(([, { when }]) => when?.includes("request") === true);
}

function takesStream({ method: { kind } }: PreparedMethod): boolean {
  return kind === "client_streaming" || kind === "bidi_streaming";
}

function compileRules(
  config: AclConfig,
  method: PreparedMethod,
): { set: RuleSet; problems: readonly RuleProblem[] } {
  const all = rulesFor(config, method);
  if (!takesStream(method)) return compileParts(all, methodEnvironment(method));
  const environment = messageEnvironment(method);
  const compiled = compileParts(all, environment);
  const opening = all.map(([index, rule]): [number, AclRule] => [
    index,
    readsMessages(rule, environment) ? { ...rule, when: undefined, isOpen: true } : rule,
  ]);
  if (opening.some(([, { isOpen }]) => isOpen)) {
    const { set } = compiled;
    set.opening = compileParts(opening, environment).set;
    set.opening.failed = (rule, failure) => set.failed?.(rule, failure);
  }
  return compiled;
}

function readsMessages({ when }: AclRule, environment: Environment): boolean {
  if (when === undefined) return false;
  const compiled = compileExpression(when, environment);
  return !isProblems(compiled) && compiled.variables.has("request");
}

function compileParts(
  all: readonly [index: number, rule: AclRule][],
  environment: Environment,
): { set: RuleSet; problems: readonly RuleProblem[] } {
  const parts: Part[] = [];
  const problems: RuleProblem[] = [];
  const set: RuleSet = new RuleSet(parts);
  for (let start = 0; start < all.length; start += rulesPerFunction) {
    const some = all.slice(start, start + rulesPerFunction);
    const rules = some.map(([, rule]) => rule);
    const report = (index: number, failure: Failure): void => set.failed?.(rules[index]!, failure);
    const { first, found } = compilePart(rules, environment, report);
    parts.push({ rules, first });
    for (const problem of found) {
      const [index, rule] = some[problem.condition]!;
      problems.push({ ...problem, index, rule });
    }
  }
  return { set, problems };
}

/** Those that are for a method, with their places in the configuration. */
function rulesFor(
  { rules }: AclConfig,
  { service, method }: PreparedMethod,
): [index: number, rule: AclRule][] {
  const full = `${service}/${method.name}`;
  return [...rules.entries()].filter(
    ([, rule]) =>
      rule.method?.some((pattern) => fits(pattern, pattern.includes("/") ? full : method.name)) ??
      true,
  );
}

/**
 * A rule that does not fit the method (which came after the rule was checked) does what one that fails
 * does: it denies if it is there to deny, and allows nothing.
 */
function compilePart(
  rules: readonly AclRule[],
  environment: Environment,
  report: (index: number, failure: Failure) => void,
): { first: First; found: readonly ConditionProblem[] } {
  const conditions = rules.map(conditionOf);
  const first = compileFirst(conditions, environment, report);
  if (!isProblems<ConditionProblem>(first)) return { first, found: [] };
  const unfit = new Set(first.map(({ condition }) => condition));
  const fitting = conditions.map((condition, index) =>
    unfit.has(index) ? { ...condition, expression: String(condition.onFailure) } : condition,
  );
  const second = compileFirst(fitting, environment, report);
  assert(!isProblems(second), "rules without problems have none");
  return { first: second, found: first };
}

type Guard = NonNullable<Condition["guard"]>;

function conditionOf({ effect, caller, when }: AclRule): Condition {
  const guard = caller === undefined ? {} : { guard: callerGuard(caller) as Guard };
  const expression = when === undefined ? {} : { expression: when };
  return { ...guard, ...expression, onFailure: effect === "deny" };
}
