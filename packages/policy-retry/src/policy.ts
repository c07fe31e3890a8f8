import {
  type Attempt,
  definePolicy,
  type Endpoint,
  fits,
  Origin,
  type PolicyCall,
  type PolicyContext,
  type PolicyDefinition,
  type PolicyTimer,
  Status,
  Verdict,
} from "@koala/policy";
import { RetryBudget } from "./budget.ts";
import { checkConfig, type RetryConfig, retryConfig } from "./config.ts";

type Context = PolicyContext<RetryConfig, RetryState>;

/** A call that is being attempted; pooled, with its timers. */
interface Pending {
  call: PolicyCall | undefined;
  ctx: Context;
  made: number;
  readonly running: Set<Attempt>;
  /** Endpoints that have failed it, or that have not answered yet. */
  readonly tried: Endpoint[];
  readonly retryTimer: PolicyTimer;
  readonly hedgeTimer: PolicyTimer;
}

/** What an instance keeps. */
export interface RetryState {
  readonly budget: RetryBudget;
  readonly free: Pending[];
}

const stateVersion = 1;

/** Repeats calls that failed, within a budget, and hedges slow ones; idempotent methods only. */
export const retryPolicy: PolicyDefinition<RetryConfig, RetryState> = definePolicy<
  RetryConfig,
  RetryState
>({
  name: "retry",
  version: "1.0.0",
  provides: ["hold", "attempt"],
  stateVersion,
  config: retryConfig,
  counters: ["retries", "hedges", "recovered", "exhausted", "budget_exhausted"],
  check: checkConfig,

  prepare({ service, method }, { config }) {
    if (method.kind !== "unary") return false;
    const isListed = config.idempotent.some((pattern) =>
      fits(pattern, pattern.includes("/") ? `${service}/${method.name}` : method.name),
    );
    return method.idempotent || isListed;
  },

  start: (ctx) => ({ budget: new RetryBudget(ctx.config.budget, ctx.nowMs()), free: [] }),

  onRequest(call, ctx) {
    const { state, config } = ctx;
    state.budget.earn(config.budget, ctx.nowMs());
    const pending = state.free.pop() ?? createPending(ctx);
    pending.call = call;
    pending.ctx = ctx;
    pending.made = 0;
    call.local = pending;
    attempt(pending);
    if (config.hedge !== undefined) pending.hedgeTimer.set(config.hedge.after);
    return call.hold();
  },

  onResponse(call, ctx) {
    const pending = call.local as Pending | undefined;
    if (pending === undefined) return Verdict.PASS;
    pending.retryTimer.clear();
    pending.hedgeTimer.clear();
    pending.call = undefined;
    pending.running.clear();
    pending.tried.length = 0;
    call.local = undefined;
    ctx.state.free.push(pending);
    return Verdict.PASS;
  },

  export: ({ state }) => ({ tokens: state.budget.tokens }),

  import(saved, version, ctx) {
    const { tokens } = (saved ?? {}) as { tokens?: unknown };
    if (version !== stateVersion || typeof tokens !== "number") {
      throw new Error(`a state of version ${version} is not known here, ${stateVersion} is`);
    }
    const budget = new RetryBudget(ctx.config.budget, ctx.nowMs());
    budget.tokens = tokens;
    return { budget, free: [] };
  },
});

function createPending(ctx: Context): Pending {
  const pending: Pending = {
    call: undefined,
    ctx,
    made: 0,
    running: new Set(),
    tried: [],
    retryTimer: ctx.timer(() => attempt(pending)),
    hedgeTimer: ctx.timer(() => hedge(pending)),
  };
  return pending;
}

function attempt(pending: Pending): void {
  const { call, ctx, tried } = pending;
  if (call === undefined) return;
  pending.made++;
  const made = ctx.attempt(call, {
    avoid: [...tried],
    timeoutMs: ctx.config.attempt_timeout,
    onEnd: (ended) => hasEnded(pending, ended),
  });
  pending.running.add(made);
}

/** No answer yet: another server may be faster. */
function hedge(pending: Pending): void {
  const { call, ctx, running, tried } = pending;
  const { hedge: hedging, attempts, budget } = ctx.config;
  if (call === undefined || hedging === undefined || running.size === 0) return;
  if (pending.made >= attempts || running.size >= hedging.parallel) return;
  if (!ctx.state.budget.take(budget, ctx.nowMs())) {
    ctx.counters["budget_exhausted"]!++;
    return;
  }
  for (const { endpoint } of running) {
    if (endpoint !== undefined && !tried.includes(endpoint)) tried.push(endpoint);
  }
  ctx.counters["hedges"]!++;
  attempt(pending);
  pending.hedgeTimer.set(hedging.after);
}

/** True: that is how the call ends. */
function hasEnded(pending: Pending, ended: Attempt): boolean {
  const { call, ctx, running, tried } = pending;
  running.delete(ended);
  if (call === undefined) return true;
  if (ended.status === Status.OK) {
    if (ended.number > 1) ctx.counters["recovered"]!++;
    return true;
  }
  if (!ctx.config.statuses.includes(ended.status) || ended.origin === Origin.POLICY) return true;
  const { endpoint } = ended;
  if (endpoint !== undefined && !tried.includes(endpoint)) tried.push(endpoint);
  if (running.size > 0) return false; // its twin may still succeed
  if (pending.made >= ctx.config.attempts) {
    ctx.counters["exhausted"]!++;
    return true;
  }
  const { backoff, budget } = ctx.config;
  const pauseMs = Math.min(backoff.max, backoff.base * 2 ** (pending.made - 1)) * ctx.random();
  const { timeLeftMs } = call;
  if (timeLeftMs !== 0 && timeLeftMs <= pauseMs) return true;
  if (!ctx.state.budget.take(budget, ctx.nowMs())) {
    ctx.counters["budget_exhausted"]!++;
    return true;
  }
  ctx.counters["retries"]!++;
  pending.hedgeTimer.clear();
  pending.retryTimer.set(pauseMs);
  return false;
}
