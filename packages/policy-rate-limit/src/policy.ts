import type { KeptHeaders } from "@koala/cel";
import {
  definePolicy,
  KeyHash,
  type PolicyCall,
  type PolicyContext,
  type PolicyDefinition,
  Verdict,
} from "@koala/policy";
import {
  checkKey,
  checkKeyFor,
  countsMessages,
  type KeySource,
  keySourceFor,
} from "./bucket-key.ts";
import { BucketTable } from "./bucket-table.ts";
import { type RateLimitConfig, rateLimitConfig } from "./config.ts";
import { type LineHost, type Waiting, WaitingLine } from "./waiting-line.ts";

type Context = PolicyContext<RateLimitConfig, RateLimitState>;

const stateVersion = 1;

/** What an instance keeps; the buckets are in `ctx.shared`. */
export interface RateLimitState {
  table: BucketTable;
  hash: KeyHash;
  /** Calls that wait, by bucket. */
  readonly lines: Map<number, WaitingLine>;
  readonly host: LineHost;
  waiting: number;
}

/** What is left with a call whose messages take tokens. */
interface Counted {
  /** Of all its messages; undefined if each has its own. */
  readonly key: string | undefined;
  readonly headers: KeptHeaders;
}

/** What is made once for a method. */
interface Prepared {
  readonly ofMessages: boolean;
  readonly source: KeySource;
  /** Hash of the fixed key. */
  readonly first: number;
  readonly second: number;
}

/** Lets so many calls a second pass. */
export const rateLimitPolicy: PolicyDefinition<RateLimitConfig, RateLimitState> = definePolicy<
  RateLimitConfig,
  RateLimitState
>({
  name: "rate-limit",
  version: "1.0.0",
  provides: ["deny", "hold"],
  stateVersion,
  config: rateLimitConfig,
  counters: ["passed", "queued", "rejected", "given_up", "evicted"],
  sharedBytes: ({ keys_max }) => BucketTable.bytesFor(keys_max),
  check: checkKey,
  checkMethod: checkKeyFor,

  prepare(method, { config, state }): Prepared | false {
    const source = keySourceFor(config, method);
    if (source === undefined) return false;
    const { hash, table } = state;
    hash.of(table.salt + (source.fixed ?? ""));
    const ofMessages = countsMessages(config, method);
    return { ofMessages, source, first: hash.first, second: hash.second };
  },

  listens: (method, { config }) => countsMessages(config, method),

  start: createState,

  reconfigure(ctx) {
    // Who waits goes on waiting for the token that it has reserved.
    ctx.state.table = createTable(ctx);
  },

  onRequest(call, ctx) {
    const { state, config } = ctx;
    const { ofMessages, source, first, second } = call.prepared as Prepared;
    if (ofMessages) {
      call.local = {
        key: source.keep === undefined ? (source.fixed ?? source.keyOf(call)) : undefined,
        headers: source.keep?.(call) ?? [],
      } satisfies Counted;
      return Verdict.PASS;
    }
    const { table, hash } = state;
    const nowMs = ctx.nowMs();
    if (source.fixed === undefined) hash.of(table.salt + source.keyOf(call));
    const bucket =
      source.fixed === undefined
        ? table.find(hash.first, hash.second, nowMs)
        : table.find(first, second, nowMs);
    ctx.counters["evicted"] = table.evicted;
    const mayWait = config.mode === "queue" && state.waiting < config.queue.length;
    const waitMs = table.take(bucket, nowMs, mayWait ? config.queue.wait : 0);
    if (waitMs === 0) {
      ctx.counters["passed"]!++;
      return Verdict.PASS;
    }
    return waitMs > 0 ? wait(call, ctx, bucket, waitMs) : reject(call, ctx, -waitMs);
  },

  onStreamMessage(message, call, ctx) {
    const { source } = call.prepared as Prepared;
    // None for a call that began under another configuration, and has taken its token.
    const counted = call.local as Counted | undefined;
    if (message.from === "server" || counted === undefined) return Verdict.PASS;
    const { table, hash } = ctx.state;
    const key = source.keyOfMessage?.(message, call, counted.headers) ?? counted.key ?? "";
    hash.of(table.salt + key);
    const nowMs = ctx.nowMs();
    const waitMs = table.take(table.find(hash.first, hash.second, nowMs), nowMs, 0);
    ctx.counters["evicted"] = table.evicted;
    if (waitMs !== 0) return reject(call, ctx, Math.abs(waitMs));
    ctx.counters["passed"]!++;
    return Verdict.PASS;
  },

  onResponse(call, ctx) {
    const waiting = call.local as Waiting | Counted | undefined;
    if (waiting === undefined || !("line" in waiting)) return;
    // It has ended while it waited.
    ctx.counters["given_up"]!++;
    ctx.state.waiting--;
    waiting.line.leave(waiting);
  },

  export: ({ state }) => ({
    // Calls that wait are offered to the next version anew, so what they have reserved goes back.
    reserved: [...state.lines.values()].map(({ bucket, reserved }) => [bucket, reserved]),
  }),

  import(saved, version, ctx) {
    const { reserved } = (saved ?? {}) as { reserved?: unknown };
    if (version !== stateVersion || !Array.isArray(reserved)) {
      throw new Error(`a state of version ${version} is not known here, ${stateVersion} is`);
    }
    const state = createState(ctx);
    for (const [bucket, tokens] of reserved as [number, number][]) {
      state.table.giveBack(bucket, tokens);
    }
    return state;
  },
});

function createState(ctx: Context): RateLimitState {
  const table = createTable(ctx);
  const state: RateLimitState = {
    table,
    hash: new KeyHash(table.seedFirst, table.seedSecond),
    lines: new Map(),
    host: {
      nowMs: () => ctx.nowMs(),
      timer: (fire) => ctx.timer(fire),
      emptied: ({ bucket }) => void state.lines.delete(bucket),
      passed: (call) => {
        call.local = undefined;
        state.waiting--;
        ctx.counters["passed"]!++;
      },
    },
    waiting: 0,
  };
  return state;
}

function createTable({ shared, config, runtime, random }: Context): BucketTable {
  const { rate, burst, mode, queue } = config;
  const places = queue.length * runtime.count;
  const ahead = mode === "queue" ? Math.min(places, (rate * queue.wait) / 1000) : 0;
  return new BucketTable(shared, { rate, burst, ahead }, random);
}

function wait(call: PolicyCall, ctx: Context, bucket: number, waitMs: number): Verdict {
  const { state } = ctx;
  let line = state.lines.get(bucket);
  if (line === undefined) {
    line = new WaitingLine(state.host, state.table, bucket);
    state.lines.set(bucket, line);
  }
  ctx.counters["queued"]!++;
  state.waiting++;
  call.local = line.add(call, waitMs);
  return call.hold();
}

function reject(call: PolicyCall, ctx: Context, afterMs: number): Verdict {
  const { rate, by, count, status } = ctx.config;
  ctx.counters["rejected"]!++;
  const delay = `${Math.max(1, Math.ceil(afterMs))}ms`;
  call.trailers.set("retry-delay", delay);
  const each = by === "policy" ? "" : ` for each ${by}`;
  const message = `more than ${rate} ${count} a second${each}; there is room again in ${delay}`;
  return call.deny(status, message, "rate");
}
