/**
 * The place of one policy in one runtime. What is behind it can change while calls are on their way: the
 * configuration, the code, or all of it when a policy fails. Chains refer to slots, so none of this
 * touches them.
 *
 * A handler that throws, or takes longer than its budget, takes its policy out: from then on calls pass
 * (fail open) or end with UNAVAILABLE and `origin: policy` (fail closed).
 *
 * The budget is of processor time. Reading a clock for each handler would cost more than most policies do,
 * so rounds of the runtime are looked at first: those that ran in one which took longer than their budget
 * may be slow, or something else was, or the thread had to wait for a processor. Their next handlers are
 * measured exactly.
 */
import { messageOf, Status } from "@koala/interface";
import type { Endpoint, PolicyCall } from "../call.ts";
import type {
  Attempt,
  AttemptOptions,
  MirrorOptions,
  PolicyContext,
  PolicyTimer,
} from "../context.ts";
import type { PolicyDefinition, PreparedMethod } from "../definition.ts";
import { Verdict } from "../verdict.ts";
import { malformedMessage } from "./call-source.ts";
import type { Step } from "./chain.ts";
import type { LiveCall } from "./live-call.ts";

type Fields = Record<string, string | number | boolean>;

/** What a runtime gives to its slots. */
export interface SlotHost {
  readonly runtime: { readonly index: number; readonly count: number };
  /** `running[0]` names the slot whose handler runs, 0 between handlers: for whoever watches this thread. */
  readonly running: Int32Array;
  nowMs(): number;
  nowMicros(): number;
  /** Processor time of this thread. */
  cpuMicros(): number;
  /** Counts the rounds of the runtime. */
  readonly round: { readonly serial: number };
  random(): number;
  timer(fire: () => void): PolicyTimer;
  warn(slot: Slot, message: string, fields: Fields): void;
  event(slot: Slot, name: string, fields: Fields): void;
  notify(slot: Slot, message: unknown): boolean;
  attempt(slot: Slot, call: LiveCall, options: AttemptOptions): Attempt;
  mirror(slot: Slot, call: LiveCall, options: MirrorOptions): boolean;
  /** The policy has been taken out. */
  failed(slot: Slot, reason: string): void;
}

/** So many handlers are measured exactly after one that was suspicious. */
const suspectedRuns = 32;

export interface SlotOptions {
  /** Positive, unique in the daemon; see `SlotHost.running`. */
  id: number;
  name: string;
  definition: PolicyDefinition;
  config: unknown;
  shared: SharedArrayBuffer;
  onFailure: "open" | "closed";
  /** Longest processor time that one run of a handler may take. */
  budgetMicros: number;
  host: SlotHost;
}

/** A slot as plain data, for the process that takes over. */
export interface SlotState {
  readonly name: string;
  /** What `export` of the policy gave; undefined when it has none. */
  readonly state: unknown;
  readonly stateVersion: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly requests: number;
  readonly denials: number;
  readonly failure: string;
}

export class Slot {
  readonly id: number;
  readonly name: string;
  onFailure: "open" | "closed";
  budgetMicros: number;
  definition: PolicyDefinition;
  ctx: PolicyContext;
  /** Changes whenever what `prepare` returned has to be asked for anew. */
  generation = 0;
  /** Why the policy was taken out; "" while it works. */
  failure = "";
  /** Requests that it has seen, and denied. */
  requests = 0;
  denials = 0;
  readonly held: Set<LiveCall> = new Set();
  private readonly host: SlotHost;
  private readonly timers = new Set<PolicyTimer>();
  private isLeaving = false;
  /** Handlers that are still to be measured exactly, and when the one that runs began. */
  private suspected = 0;
  private cpuBegin = 0;
  /** The last round in which a handler ran. */
  private ranIn = -1;

  /** Makes the instance; throws what `start` of the policy throws. */
  constructor(options: SlotOptions) {
    this.id = options.id;
    this.name = options.name;
    this.definition = options.definition;
    this.onFailure = options.onFailure;
    this.budgetMicros = options.budgetMicros;
    this.host = options.host;
    this.ctx = this.createContext(options.config, options.shared, {});
    for (const counter of options.definition.counters ?? []) this.ctx.counters[counter] = 0;
    this.ctx.state = options.definition.start?.(this.ctx);
  }

  /** What the policy has prepared for a method; undefined when it does nothing there. */
  prepare(method: PreparedMethod): { prepared: unknown } | undefined {
    if (this.failure !== "") return { prepared: undefined };
    const { prepare } = this.definition;
    if (prepare === undefined) return { prepared: undefined };
    try {
      const prepared = prepare.call(this.definition, method, this.ctx);
      return prepared === false ? undefined : { prepared };
    } catch (error) {
      this.fail(`prepare threw: ${describe(error)}`);
      return { prepared: undefined };
    }
  }

  /** Runs `onRequest`. Throws `malformedMessage` only. */
  request(call: LiveCall, step: Step): Verdict {
    this.requests++;
    if (this.failure !== "") return this.refuse(call, step);
    const { definition } = this;
    if (definition.onRequest === undefined) return Verdict.PASS;
    this.enter(call, step);
    let verdict: Verdict = Verdict.PASS;
    try {
      verdict = definition.onRequest(call, this.ctx) ?? Verdict.PASS;
    } catch (error) {
      this.leave(call);
      if (error === malformedMessage) throw error;
      this.fail(`onRequest threw: ${describe(error)}`);
      return this.refuse(call, step);
    }
    this.leave(call);
    if (verdict === Verdict.HOLD) {
      if (this.failure !== "") return this.refuse(call, step);
      this.held.add(call);
      call.holder = this;
    } else if (verdict === Verdict.DENY) {
      this.denials++;
    }
    return verdict;
  }

  /** Runs `onResponse`. Throws `malformedMessage` only. */
  response(call: LiveCall, step: Step): Verdict {
    const { definition } = this;
    if (definition.onResponse === undefined || this.failure !== "") return Verdict.PASS;
    this.enter(call, step);
    let verdict: Verdict = Verdict.PASS;
    try {
      verdict = definition.onResponse(call, this.ctx) ?? Verdict.PASS;
    } catch (error) {
      this.leave(call);
      if (error === malformedMessage) throw error;
      this.fail(`onResponse threw: ${describe(error)}`);
      return Verdict.PASS;
    }
    this.leave(call);
    if (verdict === Verdict.DENY) this.denials++;
    return verdict === Verdict.DENY ? verdict : Verdict.PASS;
  }

  /** It looks at messages of streams, or, since it has failed, refuses them. */
  get listens(): boolean {
    const isThere = this.failure === "" || this.onFailure === "closed";
    return isThere && this.definition.onStreamMessage !== undefined;
  }

  /** Whether it wants to see the messages of a method. */
  listensTo(method: PreparedMethod): boolean {
    const { definition } = this;
    if (definition.onStreamMessage === undefined) return false;
    if (definition.listens === undefined || this.failure !== "") return true;
    try {
      return definition.listens(method, this.ctx);
    } catch (error) {
      this.fail(`listens threw: ${describe(error)}`);
      return true;
    }
  }

  /** Runs `onStreamMessage` for `call.message`. Throws `malformedMessage` only. */
  streamMessage(call: LiveCall, step: Step): Verdict {
    const { definition } = this;
    if (definition.onStreamMessage === undefined) return Verdict.PASS;
    if (this.failure !== "") return this.refuse(call, step);
    this.enter(call, step);
    let verdict: Verdict = Verdict.PASS;
    try {
      verdict = definition.onStreamMessage(call.streamed, call, this.ctx) ?? Verdict.PASS;
    } catch (error) {
      this.leave(call);
      if (error === malformedMessage) throw error;
      this.fail(`onStreamMessage threw: ${describe(error)}`);
      return this.refuse(call, step);
    }
    this.leave(call);
    if (verdict === Verdict.HOLD) {
      this.fail("onStreamMessage answered HOLD: messages of a stream can't be held");
      return this.refuse(call, step);
    }
    if (verdict === Verdict.DENY) this.denials++;
    return verdict;
  }

  /** Runs `onRoute`; what it must not answer with counts as a failure, and leaves the choice as it was. */
  route(call: LiveCall, step: Step, endpoints: readonly Endpoint[]): readonly Endpoint[] {
    const { definition } = this;
    if (definition.onRoute === undefined || this.failure !== "") return endpoints;
    this.enter(call, step);
    let chosen: Endpoint | readonly Endpoint[] = endpoints;
    try {
      chosen = definition.onRoute(call, endpoints, this.ctx);
    } catch (error) {
      this.fail(`onRoute threw: ${describe(error)}`);
    }
    this.leave(call);
    if (chosen === endpoints) return endpoints;
    const list = Array.isArray(chosen) ? (chosen as readonly Endpoint[]) : [chosen as Endpoint];
    for (const endpoint of list) {
      if (endpoints.includes(endpoint)) continue;
      this.fail("onRoute answered with something that is not among the endpoints it was given");
      return endpoints;
    }
    return list;
  }

  /** The call is not held any more, whatever comes now. */
  release(call: LiveCall): void {
    this.held.delete(call);
    call.holder = null;
  }

  /** Another configuration, already checked. */
  reconfigure(config: unknown): void {
    const before = this.ctx.config;
    // The same object, so that what the policy has built around it sees the new configuration.
    (this.ctx as { config: unknown }).config = frozen(config);
    this.generation++;
    if (this.failure !== "") {
      this.restart();
      return;
    }
    try {
      this.definition.reconfigure?.(this.ctx, before);
    } catch (error) {
      this.fail(`reconfigure threw: ${describe(error)}`);
    }
  }

  /** What the next version of the code gets. Throws what the policy's `export` throws. */
  exportState(): unknown {
    return this.definition.export?.(this.ctx);
  }

  /**
   * Moves to other code, with the old one's state; throws, and leaves all as it was, when that code can't
   * take it. Held calls are offered to it again, in order.
   */
  upgrade(definition: PolicyDefinition, config: unknown): void {
    const before = { definition: this.definition, ctx: this.ctx };
    const saved = this.exportState();
    const { counters } = before.ctx;
    const ctx = this.createContext(config, before.ctx.shared, counters);
    const timersBefore = new Set(this.timers);
    this.timers.clear();
    try {
      ctx.state =
        definition.import !== undefined && saved !== undefined
          ? definition.import(saved, before.definition.stateVersion ?? 1, ctx)
          : definition.start?.(ctx);
    } catch (error) {
      this.clearTimers();
      for (const timer of timersBefore) this.timers.add(timer);
      throw error;
    }
    for (const timer of timersBefore) timer.clear();
    for (const counter of definition.counters ?? []) counters[counter] ??= 0;
    this.definition = definition;
    this.ctx = ctx;
    this.generation++;
    this.failure = "";
    this.offerHeldAgain();
  }

  /** The slot for another process. Throws what the policy's `export` throws. */
  save(): SlotState {
    const { name, definition, ctx, requests, denials, failure } = this;
    const stateVersion = definition.stateVersion ?? 1;
    const state = failure === "" ? this.exportState() : undefined;
    return { name, state, stateVersion, counters: ctx.counters, requests, denials, failure };
  }

  /** Goes on where the slot of another process stopped. Throws what the policy's `import` throws. */
  load(saved: SlotState): void {
    const { definition, ctx: before } = this;
    this.requests = saved.requests;
    this.denials = saved.denials;
    Object.assign(before.counters, saved.counters);
    if (saved.failure !== "") {
      this.fail(saved.failure);
      return;
    }
    if (this.failure !== "" || definition.import === undefined || saved.state === undefined) return;
    this.clearTimers();
    const ctx = this.createContext(before.config, before.shared, before.counters);
    ctx.state = definition.import(saved.state, saved.stateVersion, ctx);
    this.ctx = ctx;
    this.generation++;
  }

  /** The policy is taken out; see the head of this file. Also called by whoever finds it to be broken. */
  fail(reason: string): void {
    if (this.failure !== "") return;
    this.failure = reason;
    this.clearTimers();
    this.host.failed(this, reason);
    this.offerHeldAgain();
  }

  /** The policy is detached: the calls it holds go on without it. */
  detach(): void {
    this.isLeaving = true;
    this.clearTimers();
    for (const call of [...this.held]) call.resume();
  }

  /** No call refers to the slot any more. */
  stop(): void {
    this.clearTimers();
    if (this.failure !== "") return;
    try {
      this.definition.stop?.(this.ctx);
    } catch (error) {
      this.host.warn(this, "stop threw", { reason: describe(error) });
    }
  }

  private offerHeldAgain(): void {
    for (const call of [...this.held]) {
      this.release(call);
      call.local = undefined;
      call.source.wake();
    }
  }

  /** A policy that had failed gets a new start with its new configuration. */
  private restart(): void {
    try {
      this.ctx.state = this.definition.start?.(this.ctx);
      this.failure = "";
    } catch (error) {
      this.host.warn(this, "the policy failed again", { reason: describe(error) });
    }
  }

  private refuse(call: LiveCall, step: Step): Verdict {
    if (this.onFailure === "open") return Verdict.PASS;
    call.step = step;
    call.inside = true;
    const text = "the policy has failed and is out of service";
    const verdict = call.deny(Status.UNAVAILABLE, text);
    call.inside = false;
    this.denials++;
    return verdict;
  }

  private enter(call: LiveCall, step: Step): void {
    call.step = step;
    call.inside = true;
    this.beginRun();
  }

  private leave(call: LiveCall): void {
    call.inside = false;
    this.endRun("a handler");
  }

  /** A round took so long. */
  roundTook(serial: number, micros: number): void {
    if (this.ranIn === serial && micros > this.budgetMicros) this.suspected = suspectedRuns;
  }

  private beginRun(): void {
    const { host } = this;
    host.running[0] = this.id;
    this.ranIn = host.round.serial;
    if (this.suspected > 0) this.cpuBegin = host.cpuMicros();
  }

  private endRun(what: string): void {
    const { host } = this;
    host.running[0] = 0;
    if (this.suspected === 0) return;
    this.suspected--;
    const used = host.cpuMicros() - this.cpuBegin;
    if (used <= this.budgetMicros) return;
    const times = `${Math.round(used)} µs of processor time, its budget is ${this.budgetMicros} µs`;
    this.fail(`${what} took ${times}`);
  }

  private clearTimers(): void {
    for (const timer of this.timers) timer.clear();
    this.timers.clear();
  }

  private createContext(
    config: unknown,
    shared: SharedArrayBuffer,
    counters: Record<string, number>,
  ): PolicyContext {
    const { host } = this;
    return {
      name: this.name,
      config: frozen(config),
      state: undefined,
      shared,
      runtime: host.runtime,
      counters,
      nowMs: () => host.nowMs(),
      nowMicros: () => host.nowMicros(),
      random: () => host.random(),
      timer: (fire) => this.createTimer(fire),
      warn: (message, fields = {}) => host.warn(this, message, fields),
      event: (name, fields = {}) => host.event(this, name, fields),
      notify: (message) => host.notify(this, message),
      attempt: (call: PolicyCall, options) => host.attempt(this, call as LiveCall, options),
      mirror: (call: PolicyCall, options) => host.mirror(this, call as LiveCall, options),
    };
  }

  private createTimer(fire: () => void): PolicyTimer {
    const timer = this.host.timer(() => this.guard("a timer", fire));
    const tracked: PolicyTimer = {
      set: (afterMs) => {
        if (this.isLeaving) return; // nothing waits for it any more
        this.timers.add(tracked);
        timer.set(afterMs);
      },
      clear: () => {
        this.timers.delete(tracked);
        timer.clear();
      },
    };
    return tracked;
  }

  /** Runs something of the policy's outside of a call. Its answer is `otherwise` when it fails. */
  guard<T>(what: string, run: () => T, otherwise?: T): T | undefined {
    if (this.failure !== "") return otherwise;
    this.beginRun();
    let result = otherwise;
    let reason = "";
    try {
      result = run();
    } catch (error) {
      reason = `${what} threw: ${describe(error)}`;
    }
    this.endRun(what);
    if (reason !== "") this.fail(reason);
    return result;
  }
}

/** The message, and where in the policy's own code. */
function describe(error: unknown): string {
  const place =
    error instanceof Error ? /\n\s+at ([^\n]+)/.exec(error.stack ?? "")?.[1] : undefined;
  return place === undefined ? messageOf(error) : `${messageOf(error)} (${place})`;
}

/** A policy must not change its configuration: plain objects and arrays are frozen all the way down. */
function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  const prototype = Object.getPrototypeOf(value) as unknown;
  if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null) {
    return value;
  }
  for (const item of Object.values(value)) frozen(item);
  return Object.freeze(value);
}
