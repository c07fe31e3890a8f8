import {
  definePolicy,
  type PolicyCall,
  type PolicyDefinition,
  type PreparedMethod,
} from "@koala/policy";
import {
  type ConcurrencyConfig,
  checkConfig,
  concurrencyConfig,
  type LimitedBy,
} from "./config.ts";
import { Gate } from "./gate.ts";
import { PermitTable } from "./permit-table.ts";
import type { Ticket } from "./ticket.ts";

const stateVersion = 1;

/** What is made once for a method: the hash of its calls' key, if they have one key. */
interface Prepared {
  readonly isFixed: boolean;
  readonly first: number;
  readonly second: number;
}

/** Limits calls in flight. */
export const concurrencyPolicy: PolicyDefinition<ConcurrencyConfig, Gate> = definePolicy<
  ConcurrencyConfig,
  Gate
>({
  name: "concurrency",
  version: "1.0.0",
  provides: ["deny", "hold"],
  stateVersion,
  config: concurrencyConfig,
  counters: [
    "passed",
    "queued",
    "rejected",
    "timed_out",
    "shed",
    "given_up",
    "crowded",
    "in_flight",
    "limit",
  ],
  check: checkConfig,
  sharedBytes: ({ keys_max }, runtimes) => PermitTable.bytesFor(keys_max, runtimes),

  prepare(method, { config, state }): Prepared {
    const { hash } = state;
    const isFixed = config.by === "policy" || config.by === "method";
    hash.of(isFixed ? fixedKey(config.by, method) : "");
    return { isFixed, first: hash.first, second: hash.second };
  },

  start(ctx) {
    const gate = new Gate(ctx);
    gate.table.begin();
    ctx.counters["in_flight"] = 0;
    ctx.counters["limit"] = ctx.config.limit;
    return gate;
  },

  reconfigure(ctx) {
    ctx.counters["limit"] = ctx.config.limit;
    ctx.state.reconfigure(ctx);
  },

  onRequest(call, { config, state }) {
    const { isFixed, first, second } = call.prepared as Prepared;
    if (isFixed) return state.enter(call, first, second);
    const { hash } = state;
    hash.of(callKey(config.by, call));
    return state.enter(call, hash.first, hash.second);
  },

  onResponse(call, { state }) {
    const ticket = call.local as Ticket | undefined;
    if (ticket !== undefined) state.leave(call, ticket);
  },

  export: ({ state: { table } }) => ({ generation: table.generation, counts: table.counts() }),

  import(saved, version, ctx) {
    const { generation, counts } = (saved ?? {}) as { generation?: unknown; counts?: unknown };
    if (version !== stateVersion || typeof generation !== "number" || !Array.isArray(counts)) {
      throw new Error(`a state of version ${version} is not known here, ${stateVersion} is`);
    }
    const gate = new Gate(ctx);
    gate.table.resume(generation, counts as [number, number][]);
    ctx.counters["in_flight"] = gate.table.counts().reduce((sum, [, count]) => sum + count, 0);
    return gate;
  },
});

function fixedKey(by: LimitedBy, { service, method }: PreparedMethod): string {
  return by === "policy" ? "policy" : `method ${service}/${method.name}`;
}

function callKey(by: LimitedBy, { target, caller }: PolicyCall): string {
  if (by === "target") return `target ${target}`;
  return caller.host === "" ? `caller ${caller.app}` : `caller ${caller.app}@${caller.host}`;
}
