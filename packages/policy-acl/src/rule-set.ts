/** The rules that are for a method, compiled. */
import {
  type Condition,
  checkCondition,
  compileFirst,
  type Environment,
  type Failure,
  type First,
  isProblems,
} from "@koala/cel";
import { fits, type PreparedMethod } from "@koala/policy";
import { callerGuard } from "./caller-guard.ts";
import type { AclConfig, AclRule } from "./config.ts";
import { environmentOf, type RuleInput } from "./rule-input.ts";

/** More in one function would keep V8 from optimising it. */
const rulesPerFunction = 32;

/** A function for some of the rules. */
interface Part {
  readonly rules: readonly AclRule[];
  readonly first: First;
}

export type RuleFailed = (rule: AclRule, failure: Failure) => void;

export class RuleSet {
  private readonly parts: readonly Part[];

  constructor(parts: readonly Part[]) {
    this.parts = parts;
  }

  /** The first rule that fits the call; undefined when none does. */
  find(input: RuleInput): AclRule | undefined {
    for (const { rules, first } of this.parts) {
      const index = first.decide(input);
      if (index >= 0) return rules[index];
    }
    return undefined;
  }

  /** Whether a call's request, which costs a copy, may be read. */
  get readsRequest(): boolean {
    return this.parts.some(({ first }) => first.variables.has("request"));
  }
}

/** Those that are for a method, with their places in the configuration. */
export function rulesFor(
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
 * Compiles rules for a method. One that does not fit it (the method came after the rule was checked) does
 * what one that fails does: it denies if it is there to deny, and allows nothing.
 */
export function compileRules(
  rules: readonly AclRule[],
  method: PreparedMethod,
  failed: RuleFailed,
  unfit: (rule: AclRule, reason: string) => void,
): RuleSet {
  const environment = environmentOf(method);
  const parts: Part[] = [];
  for (let start = 0; start < rules.length; start += rulesPerFunction) {
    const some = rules.slice(start, start + rulesPerFunction);
    parts.push({ rules: some, first: compilePart(some, environment, failed, unfit) });
  }
  return new RuleSet(parts);
}

function compilePart(
  rules: readonly AclRule[],
  environment: Environment,
  failed: RuleFailed,
  unfit: (rule: AclRule, reason: string) => void,
): First {
  const conditions = rules.map((rule): Condition => {
    const onFailure = rule.effect === "deny";
    const guard = rule.caller === undefined ? undefined : callerGuard(rule.caller);
    const { when } = rule;
    const [problem] = when === undefined ? [] : checkCondition(when, environment);
    if (problem !== undefined) unfit(rule, problem.message);
    const expression = problem === undefined ? when : String(onFailure);
    return {
      ...(guard === undefined ? {} : { guard: guard as NonNullable<Condition["guard"]> }),
      ...(expression === undefined ? {} : { expression }),
      onFailure,
    };
  });
  const first = compileFirst(conditions, environment, (index, failure) =>
    failed(rules[index]!, failure),
  );
  // They have just been checked one by one.
  if (isProblems(first)) throw new Error(first[0]?.message);
  return first;
}
