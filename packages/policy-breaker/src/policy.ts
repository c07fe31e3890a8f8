import {
  definePolicy,
  type Endpoint,
  type PolicyContext,
  type PolicyDefinition,
  Status,
  Verdict,
} from "@koala/policy";
import { type BreakerConfig, breakerConfig, checkConfig } from "./config.ts";
import { ejectionMs, type Health, Healths } from "./health.ts";

type Context = PolicyContext<BreakerConfig, BreakerState>;

/** What an instance keeps. */
export interface BreakerState {
  readonly healths: Healths;
  /** How many are ejected, or are to be tried again: with none, nothing has to be looked at. */
  suspects: number;
  /** How many there were to choose from lately. */
  endpoints: number;
}

const stateVersion = 1;

/**
 * Ejects endpoints that fail, for a while; then one call finds out whether they work again. The rules are
 * those of outlier detection in Envoy, without its statistics over success rates.
 */
export const breakerPolicy: PolicyDefinition<BreakerConfig, BreakerState> = definePolicy<
  BreakerConfig,
  BreakerState
>({
  name: "breaker",
  version: "1.0.0",
  stateVersion,
  config: breakerConfig,
  counters: ["ejected", "probed", "recovered", "rejected"],
  check: checkConfig,
  start: () => ({ healths: new Healths(), suspects: 0, endpoints: 0 }),

  onRoute(_call, endpoints, ctx) {
    const { state } = ctx;
    state.endpoints = endpoints.length;
    if (state.suspects === 0) return endpoints;
    const nowMs = ctx.nowMs();
    const left = endpoints.filter((endpoint) => isEligible(endpoint, ctx, nowMs));
    if (left.length > 0) return left;
    if (ctx.config.when_all === "pass") return endpoints;
    ctx.counters["rejected"]!++;
    return left;
  },

  onRequest() {},

  onResponse(call, ctx) {
    const { endpoint, status } = call;
    if (endpoint === undefined || status === Status.CANCELLED) return Verdict.PASS;
    const { state, config } = ctx;
    const isFailure = config.statuses.includes(status);
    if (!isFailure && !state.healths.byLabel.has(endpoint.label)) return Verdict.PASS;
    const health = state.healths.of(endpoint.label, ctx.nowMs());
    if (isFailure) failed(health, endpoint, ctx);
    else succeeded(health, endpoint, ctx);
    return Verdict.PASS;
  },

  export: ({ state, nowMs }) => ({ nowMs: nowMs(), healths: [...state.healths.byLabel] }),

  import(saved, version, ctx) {
    const { healths } = (saved ?? {}) as { healths?: [string, Health][] };
    if (version !== stateVersion || !Array.isArray(healths)) {
      throw new Error(`a state of version ${version} is not known here, ${stateVersion} is`);
    }
    const state: BreakerState = { healths: new Healths(), suspects: 0, endpoints: 0 };
    for (const [label, health] of healths) {
      // Calls that were to find something out have nobody to tell any more.
      state.healths.byLabel.set(label, { ...health, isProbed: false, seenMs: ctx.nowMs() });
      if (health.ejectedUntilMs > 0) state.suspects++;
    }
    return state;
  },
});

/** Whether it may get calls: not while it is ejected, and then one call at a time until that succeeds. */
function isEligible(endpoint: Endpoint, ctx: Context, nowMs: number): boolean {
  const health = ctx.state.healths.byLabel.get(endpoint.label);
  if (health === undefined || health.ejectedUntilMs === 0) return true;
  if (nowMs < health.ejectedUntilMs || endpoint.inFlight > 0) return false;
  if (!health.isProbed) ctx.counters["probed"]!++;
  health.isProbed = true;
  return true;
}

function failed(health: Health, endpoint: Endpoint, ctx: Context): void {
  const { state, config } = ctx;
  health.failuresInRow++;
  const isProbe = health.isProbed;
  health.isProbed = false;
  if (!isProbe && health.failuresInRow < config.failures) return;
  if (!isProbe && health.ejectedUntilMs > 0) return; // a late answer from before
  if (health.ejectedUntilMs === 0) {
    if (!mayEject(ctx)) return;
    state.suspects++;
  }
  health.ejectedUntilMs = ctx.nowMs() + ejectionMs(config, health.ejections);
  health.ejections++;
  health.failuresInRow = 0;
  ctx.counters["ejected"]!++;
  ctx.event("ejected", {
    endpoint: endpoint.label,
    forMs: Math.round(health.ejectedUntilMs - ctx.nowMs()),
  });
}

/** So many are ejected at a time, of those there are; one may be in any case. */
function mayEject({ state, config }: Context): boolean {
  return state.suspects < Math.max(1, Math.floor((state.endpoints * config.percent_max) / 100));
}

function succeeded(health: Health, endpoint: Endpoint, ctx: Context): void {
  health.failuresInRow = 0;
  if (health.ejectedUntilMs === 0) {
    if (health.ejections > 0) health.ejections--;
    return;
  }
  if (!health.isProbed && ctx.nowMs() < health.ejectedUntilMs) return; // from before the ejection
  health.isProbed = false;
  health.ejectedUntilMs = 0;
  ctx.state.suspects--;
  ctx.counters["recovered"]!++;
  ctx.event("recovered", { endpoint: endpoint.label });
}
