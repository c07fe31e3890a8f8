import {
  definePolicy,
  fits,
  type PolicyCall,
  type PolicyContext,
  type PolicyDefinition,
  type PolicyTimer,
  type PreparedMethod,
  Verdict,
} from "@koala/policy";
import {
  type AbortConfig,
  checkConfig,
  type FaultConfig,
  type FaultRule,
  faultConfig,
} from "./config.ts";
import { Dice } from "./dice.ts";

type Context = PolicyContext<FaultConfig, FaultState>;

/** A call that waits; pooled, with its timer. */
interface Delayed {
  readonly timer: PolicyTimer;
  call: PolicyCall | undefined;
  /** What happens to it after the delay. */
  abort: AbortConfig | undefined;
}

/** A stream that ends after so many messages more. */
interface Doomed {
  left: number;
}

/** What an instance keeps. */
export interface FaultState {
  /** Undefined without a seed. */
  dice: Dice | undefined;
  readonly free: Delayed[];
}

const stateVersion = 1;

/** Delays and aborts calls, to see what an application makes of it. */
export const faultPolicy: PolicyDefinition<FaultConfig, FaultState> = definePolicy<
  FaultConfig,
  FaultState
>({
  name: "fault",
  version: "1.0.0",
  provides: ["deny", "hold"],
  stateVersion,
  config: faultConfig,
  counters: ["delayed", "aborted", "given_up"],
  check: checkConfig,

  prepare(method, { config }) {
    const rule = ruleFor(config, method);
    return rule.delay === undefined && rule.abort === undefined ? false : rule;
  },

  listens: (method, { config }) => ruleFor(config, method).abort?.messages !== undefined,

  start: (ctx) => ({ dice: diceFor(ctx), free: [] }),

  reconfigure(ctx, before) {
    if (ctx.config.seed !== before.seed) ctx.state.dice = diceFor(ctx);
  },

  onRequest(call, ctx) {
    const { delay, abort } = call.prepared as FaultRule;
    const waits = delay !== undefined && random(ctx) < delay.probability;
    const waitMs = waits ? delay.min + (delay.max - delay.min) * random(ctx) : 0;
    const ends = abort !== undefined && random(ctx) < abort.probability;
    if (waitMs > 0) return postpone(call, ctx, waitMs, ends ? abort : undefined);
    return ends ? end(call, ctx, abort) : Verdict.PASS;
  },

  onStreamMessage(_message, call, ctx) {
    const { abort } = call.prepared as FaultRule;
    const doomed = call.local as Doomed | undefined;
    if (abort === undefined || doomed === undefined) return Verdict.PASS;
    return doomed.left-- > 0 ? Verdict.PASS : deny(call, ctx, abort);
  },

  onResponse(call, ctx) {
    const delayed = call.local as Delayed | Doomed | undefined;
    if (delayed === undefined || !("timer" in delayed)) return;
    // The caller has not waited for it.
    ctx.counters["given_up"]!++;
    release(delayed, call, ctx);
  },

  export: ({ state }) => ({ dice: state.dice?.state }),

  import(saved, version, ctx) {
    const { dice } = (saved ?? {}) as { dice?: unknown };
    if (version !== stateVersion || (dice !== undefined && typeof dice !== "number")) {
      throw new Error(`a state of version ${version} is not known here, ${stateVersion} is`);
    }
    const hasSeed = ctx.config.seed !== undefined && dice !== undefined;
    return { dice: hasSeed ? new Dice(dice) : diceFor(ctx), free: [] };
  },
});

/** What may happen to calls of a method. */
function ruleFor(
  { rules, delay, abort }: FaultConfig,
  { service, method }: PreparedMethod,
): FaultRule {
  const name = (pattern: string): string =>
    pattern.includes("/") ? `${service}/${method.name}` : method.name;
  const found = rules.find((candidate) => candidate.method.some((text) => fits(text, name(text))));
  const rule = found ?? { method: ["*"], delay, abort };
  const isNever = rule.abort?.messages !== undefined && method.kind === "unary";
  return isNever ? { ...rule, abort: undefined } : rule;
}

/** Runtimes must not all do the same at the same time, so each has a sequence of its own. */
function diceFor({ config, runtime }: Context): Dice | undefined {
  return config.seed === undefined ? undefined : new Dice(config.seed + 0x1000 * runtime.index);
}

function random({ state, random: any }: Context): number {
  return state.dice === undefined ? any() : state.dice.next();
}

function postpone(
  call: PolicyCall,
  ctx: Context,
  waitMs: number,
  abort: AbortConfig | undefined,
): Verdict {
  const delayed = ctx.state.free.pop() ?? createDelayed(ctx);
  delayed.call = call;
  delayed.abort = abort;
  delayed.timer.set(waitMs);
  call.local = delayed;
  ctx.counters["delayed"]!++;
  return call.hold();
}

function createDelayed(ctx: Context): Delayed {
  const delayed: Delayed = {
    timer: ctx.timer(() => {
      const { call, abort } = delayed;
      if (call === undefined) return;
      release(delayed, call, ctx);
      if (abort === undefined || end(call, ctx, abort) === Verdict.PASS) call.resume();
    }),
    call: undefined,
    abort: undefined,
  };
  return delayed;
}

/** The call does not wait any more. */
function release(delayed: Delayed, call: PolicyCall, ctx: Context): void {
  delayed.timer.clear();
  delayed.call = undefined;
  delayed.abort = undefined;
  call.local = undefined;
  ctx.state.free.push(delayed);
}

/** Ends the call, now or behind some messages. */
function end(call: PolicyCall, ctx: Context, abort: AbortConfig): Verdict {
  if (abort.messages === undefined) return deny(call, ctx, abort);
  call.local = { left: abort.messages } satisfies Doomed;
  return Verdict.PASS;
}

function deny(call: PolicyCall, ctx: Context, { status, message }: AbortConfig): Verdict {
  ctx.counters["aborted"]!++;
  return call.deny(status, message, "abort");
}
