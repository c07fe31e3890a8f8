import {
  CallInput,
  callEnvironment,
  checkCondition,
  type KeptHeaders,
  keepHeaders,
  type Problem,
} from "@koala/cel";
import {
  type ConfigProblem,
  definePolicy,
  type PolicyCall,
  type PolicyContext,
  type PolicyDefinition,
  Status,
  Verdict,
} from "@koala/policy";
import { type AclConfig, type AclRule, aclConfig, defaultRule } from "./config.ts";
import { checkRules, mayReadMessages, preparedRules, type RuleSet } from "./rule-set.ts";

/** What an instance keeps. */
export interface AclState {
  /** What rules see of the call that is being decided. */
  readonly input: CallInput;
}

/** What rules about messages need to know of a call that takes a stream. */
interface Opened {
  readonly headers: KeptHeaders;
  /** A message that would have been denied has been reported. */
  isNoted: boolean;
}

type Context = PolicyContext<AclConfig, AclState>;

/** Allows and denies calls by rules, of which the first that fits decides. */
export const aclPolicy: PolicyDefinition<AclConfig, AclState> = definePolicy<AclConfig, AclState>({
  name: "acl",
  version: "1.0.0",
  provides: ["deny"],
  config: aclConfig,
  fileKeys: ["file"],
  counters: ["allowed", "denied", "shadow_denied", "failed_rules"],
  check: (config) => [...repeatedNames(config), ...problemsWithoutMethod(config)],

  checkMethod: (config, method) =>
    checkRules(config, method).map((found) => problemOf(found.index, found.rule, found)),

  prepare(method, ctx) {
    const { set, problems } = preparedRules(ctx.config, method);
    if (set.isEmpty && ctx.config.default === "allow") return false;
    const name = `${method.service}/${method.method.name}`;
    for (const { rule, message } of problems) {
      ctx.warn("a rule does not fit a method", { rule: rule.name, method: name, reason: message });
    }
    set.failed = (rule, { reason }) => {
      ctx.counters["failed_rules"]!++;
      ctx.event("rule_failed", { rule: rule.name, method: name, reason });
    };
    return set;
  },

  start: () => ({ input: new CallInput() }),

  listens: (method, { config }) => mayReadMessages(config, method),

  onRequest(call, ctx) {
    const { config, state, counters } = ctx;
    const set = call.prepared as RuleSet;
    const { opening } = set;
    if (opening !== undefined) {
      call.local = { headers: keepHeaders(call), isNoted: false } satisfies Opened;
    }
    const rule = decide(opening ?? set, call, state.input);
    if (rule?.isOpen === true || (rule?.effect ?? config.default) === "allow") {
      counters["allowed"]!++;
      return Verdict.PASS;
    }
    if (config.mode === "shadow") return noteDenial(call, ctx, rule);
    return deny(call, ctx, rule);
  },

  onStreamMessage(message, call, ctx) {
    const set = call.prepared as RuleSet;
    if (message.from === "server" || set.opening === undefined) return Verdict.PASS;
    const { config, state } = ctx;
    // None for a call that was there before the rules about messages were.
    const opened = (call.local ?? { headers: [], isNoted: false }) as Opened;
    const { input } = state;
    input.message = message;
    input.headers = opened.headers;
    const rule = decide(set, call, input);
    if ((rule?.effect ?? config.default) === "allow") return Verdict.PASS;
    if (config.mode === "enforce") return deny(call, ctx, rule);
    if (opened.isNoted) return Verdict.PASS;
    opened.isNoted = true;
    call.local = opened;
    return noteDenial(call, ctx, rule);
  },
});

/** Reading a malformed request throws, and the engine knows what to do then. */
function decide(set: RuleSet, call: PolicyCall, input: CallInput): AclRule | undefined {
  input.call = call;
  try {
    return set.find(input);
  } finally {
    input.call = null;
    input.message = null;
    input.headers = null;
  }
}

function deny(call: PolicyCall, { counters }: Context, rule: AclRule | undefined): Verdict {
  counters["denied"]!++;
  if (rule !== undefined) return call.deny(rule.status, rule.message, rule.name);
  return call.deny(Status.PERMISSION_DENIED, "no rule allows the call", defaultRule);
}

function noteDenial(call: PolicyCall, ctx: Context, rule: AclRule | undefined): Verdict {
  ctx.counters["shadow_denied"]!++;
  ctx.event("shadow_denied", {
    rule: rule?.name ?? defaultRule,
    request: call.requestId,
    caller: call.caller.app,
    method: `${call.service}/${call.method.name}`,
  });
  return Verdict.PASS;
}

/** Denials name a rule, so there is one of each name. */
function repeatedNames({ rules }: AclConfig): ConfigProblem[] {
  const seen = new Set<string>();
  return [...rules.entries()].flatMap(([index, rule]) => {
    const isNew = !seen.has(rule.name);
    seen.add(rule.name);
    return isNew ? [] : [problem(index, rule, "name", `there are two rules "${rule.name}"`)];
  });
}

function problemsWithoutMethod({ rules }: AclConfig): ConfigProblem[] {
  return [...rules.entries()].flatMap(([index, rule]) =>
    rule.when === undefined
      ? []
      : checkCondition(rule.when, callEnvironment).map((found) => problemOf(index, rule, found)),
  );
}

/** Lines and columns are within the expression. An offset has no meaning for a file. */
function problemOf(index: number, rule: AclRule, found: Problem): ConfigProblem {
  const { message, offset, line, column } = found;
  return rule.place === undefined
    ? { ...problem(index, rule, "when", message), offset }
    : problem(index, rule, "when", `when, line ${line}, column ${column}: ${message}`);
}

function problem(index: number, rule: AclRule, key: string, message: string): ConfigProblem {
  if (rule.place === undefined) return { path: ["rules", index, key], message };
  return { path: ["file"], message: `${rule.place}: rule "${rule.name}": ${message}` };
}
