import { definePolicy, type Endpoint, type PolicyDefinition, Status, Verdict } from "@koala/policy";
import { type BalanceConfig, balanceConfig, checkConfig } from "./config.ts";
import { checkKey, type KeyOf, keyFor } from "./key.ts";
import { type Health, note, Pool } from "./pool.ts";

/** What an instance keeps. */
export interface BalanceState {
  /** By the very list of endpoints, which is the same until something changes. */
  pools: WeakMap<readonly Endpoint[], Pool>;
  readonly healths: WeakMap<Endpoint, Health>;
}

/** What says something about the endpoint rather than about the call. */
const endpointFailures: readonly Status[] = [
  Status.UNAVAILABLE,
  Status.DEADLINE_EXCEEDED,
  Status.INTERNAL,
  Status.UNKNOWN,
];

/** Chooses who serves a call. */
export const balancePolicy: PolicyDefinition<BalanceConfig, BalanceState> = definePolicy<
  BalanceConfig,
  BalanceState
>({
  name: "balance",
  version: "1.0.0",
  config: balanceConfig,
  counters: ["routed"],
  check: checkConfig,
  checkMethod: ({ key }, method) => checkKey(key, method),

  /** An expression that does not fit a method which came later: its calls go by the caller. */
  prepare: (method, { config }): KeyOf =>
    keyFor(config.key, method) ?? (({ caller }) => caller.app),

  start: () => ({ pools: new WeakMap(), healths: new WeakMap() }),

  reconfigure({ state }) {
    state.pools = new WeakMap();
  },

  onRoute(call, endpoints, ctx) {
    const { config, state } = ctx;
    let pool = state.pools.get(endpoints);
    if (pool === undefined) {
      pool = new Pool(endpoints, config, (endpoint) => healthOf(state, endpoint));
      state.pools.set(endpoints, pool);
    }
    if (pool.endpoints.length === 0) return pool.endpoints;
    ctx.counters["routed"]!++;
    switch (config.method) {
      case "round_robin":
        return pool.next();
      case "least_request":
        return pool.leastLoaded(config.choices, ctx.random);
      case "random":
        return pool.any(ctx.random);
      case "consistent_hash":
        return pool.byKey((call.prepared as KeyOf)(call));
    }
  },

  onRequest() {},

  onResponse(call, { config, state }) {
    const { endpoint } = call;
    if (!config.health || endpoint === undefined) return Verdict.PASS;
    if (call.status === Status.CANCELLED) return Verdict.PASS;
    note(healthOf(state, endpoint), endpointFailures.includes(call.status));
    return Verdict.PASS;
  },
});

function healthOf({ healths }: BalanceState, endpoint: Endpoint): Health {
  let health = healths.get(endpoint);
  if (health === undefined) {
    health = { success: 1 };
    healths.set(endpoint, health);
  }
  return health;
}
