import {
  type Caller,
  definePolicy,
  fits,
  type PolicyCall,
  type PolicyContext,
  type PolicyDefinition,
  type PolicyTimer,
  type PreparedMethod,
  Status,
  Verdict,
} from "@koala/policy";
import { Board, boardBytes } from "./board.ts";
import { type ClassConfig, checkConfig, type QosConfig, qosConfig } from "./config.ts";
import { DeadlineQueue, type Waiting } from "./queue.ts";

type Context = PolicyContext<QosConfig, QosState>;

/** A class of this instance. */
interface CallClass {
  readonly index: number;
  readonly config: ClassConfig;
  /** Indexes of the classes that go first. */
  readonly above: readonly number[];
  readonly queue: DeadlineQueue;
}

/** What an instance keeps. */
export interface QosState {
  readonly board: Board;
  classes: readonly CallClass[];
  /** Highest priority first. */
  order: readonly CallClass[];
  readonly timer: PolicyTimer;
}

/** What `prepare` makes of a method: which callers' calls of it belong to which class. */
interface MethodClasses {
  readonly method: PreparedMethod;
  readonly byCaller: WeakMap<Caller, CallClass>;
}

/** A call on its way, or waiting; in `call.local`. */
interface Ticket {
  readonly callClass: CallClass;
  /** Undefined once it is on its way. */
  waiting: Waiting | undefined;
  beganMs: number;
  /** It was let through while a higher class was active. */
  isGuest: boolean;
}

/** How soon a class that waits for another one looks again, when nobody tells it, ms. */
const lookAgainMs = 1;

/**
 * Classes of service: while calls of a higher class are about, lower ones get a small share of the time;
 * otherwise they get all of it.
 */
export const qosPolicy: PolicyDefinition<QosConfig, QosState> = definePolicy<QosConfig, QosState>({
  name: "qos",
  version: "1.0.0",
  provides: ["change", "deny", "hold"],
  config: qosConfig,
  counters: ["passed", "held", "rejected"],
  sharedBytes: () => boardBytes,
  check: checkConfig,

  prepare: (method): MethodClasses => ({ method, byCaller: new WeakMap() }),

  start(ctx) {
    const state: QosState = {
      board: new Board(ctx.shared),
      classes: [],
      order: [],
      timer: ctx.timer(() => letGo(ctx)),
    };
    setClasses(state, ctx.config);
    return state;
  },

  reconfigure(ctx, before) {
    const { state } = ctx;
    // Calls on the way keep their class by its place: only what is said of the classes may change.
    const waiting = state.classes.flatMap(({ queue }) => drain(queue));
    const same = ctx.config.classes.length === before.classes.length;
    const old = state.classes;
    setClasses(state, ctx.config);
    for (const item of waiting) {
      const ticket = item.call.local as Ticket;
      const index = same ? ticket.callClass.index : state.classes.length - 1;
      const callClass = state.classes[index] ?? old[index]!;
      const moved: Ticket = { ...ticket, callClass };
      item.call.local = moved;
      callClass.queue.push(item);
    }
    letGo(ctx);
  },

  onRequest(call, ctx) {
    const callClass = classOf(call, ctx.state);
    const { config } = callClass;
    call.priority = config.priority;
    const ticket: Ticket = { callClass, waiting: undefined, beganMs: 0, isGuest: false };
    call.local = ticket;
    if (callClass.queue.length === 0 && mayBegin(ticket, ctx)) {
      begin(ticket, ctx);
      return Verdict.PASS;
    }
    if (callClass.queue.length >= ctx.config.queue) {
      ctx.counters["rejected"]!++;
      call.local = undefined;
      const text = `${callClass.queue.length} calls of the class wait already`;
      return call.deny(Status.RESOURCE_EXHAUSTED, text, config.name);
    }
    const left = call.timeLeftMs;
    const deadlineMs = left === 0 ? Number.POSITIVE_INFINITY : ctx.nowMs() + left;
    ticket.waiting = { call, deadlineMs };
    callClass.queue.push(ticket.waiting);
    ctx.counters["held"]!++;
    ctx.state.timer.set(lookAgainMs);
    return call.hold();
  },

  onResponse(call, ctx) {
    const ticket = call.local as Ticket | undefined;
    if (ticket === undefined) return Verdict.PASS;
    call.local = undefined;
    const { callClass, waiting } = ticket;
    if (waiting !== undefined) {
      callClass.queue.remove(waiting);
      return Verdict.PASS;
    }
    const { board } = ctx.state;
    const nowMs = ctx.nowMs();
    board.ended(callClass.index, nowMs);
    if (ticket.isGuest) {
      const { share } = ctx.config;
      const tookMs = Math.max(0.05, nowMs - ticket.beganMs);
      if (share > 0) board.setNext(callClass.index, nowMs + tookMs * (1 / share - 1));
    }
    letGo(ctx);
    return Verdict.PASS;
  },

  stop({ state }) {
    state.timer.clear();
  },
});

function setClasses(state: QosState, { classes }: QosConfig): void {
  state.classes = classes.map((config, index) => ({
    index,
    config,
    above: classes.flatMap((other, i) => (other.priority > config.priority ? [i] : [])),
    queue: new DeadlineQueue(),
  }));
  state.order = [...state.classes].sort((a, b) => b.config.priority - a.config.priority);
}

function drain(queue: DeadlineQueue): Waiting[] {
  const items: Waiting[] = [];
  for (let item = queue.shift(); item !== undefined; item = queue.shift()) items.push(item);
  return items;
}

function classOf(call: PolicyCall, state: QosState): CallClass {
  const { method, byCaller } = call.prepared as MethodClasses;
  const { caller } = call;
  let found = byCaller.get(caller);
  if (found === undefined || state.classes[found.index] !== found) {
    found =
      state.classes.find(({ config }) => belongs(config, caller, method)) ?? state.classes.at(-1)!;
    byCaller.set(caller, found);
  }
  return found;
}

function belongs(
  { caller: callers, method: methods }: ClassConfig,
  { app, host }: Caller,
  { service, method }: PreparedMethod,
): boolean {
  const isCaller =
    callers?.some((pattern) => fits(pattern, pattern.includes("@") ? `${app}@${host}` : app)) ??
    true;
  const isMethod =
    methods?.some((pattern) =>
      fits(pattern, pattern.includes("/") ? `${service}/${method.name}` : method.name),
    ) ?? true;
  return isCaller && isMethod;
}

/** Whether a call of a class may begin; notes whether it does so as a guest of a higher class. */
function mayBegin(ticket: Ticket, ctx: Context): boolean {
  const { callClass } = ticket;
  const { board } = ctx.state;
  const { limit } = callClass.config;
  if (limit > 0 && board.count(callClass.index) >= limit) return false;
  const nowMs = ctx.nowMs();
  ticket.isGuest = isHeldOff(callClass, ctx, nowMs);
  if (!ticket.isGuest) return true;
  if (ctx.config.share === 0) return false;
  return board.count(callClass.index) === 0 && nowMs >= board.mayBeginAtMs(callClass.index);
}

/** A higher class is active. */
function isHeldOff({ above }: CallClass, { state, config }: Context, nowMs: number): boolean {
  for (const index of above) {
    if (state.board.activeForMs(index, nowMs, config.linger) >= 0) return true;
  }
  return false;
}

function begin(ticket: Ticket, ctx: Context): void {
  ticket.waiting = undefined;
  ticket.beganMs = ctx.nowMs();
  ctx.state.board.began(ticket.callClass.index);
  ctx.counters["passed"]!++;
}

/** Lets calls go that may: highest class first, earliest deadline first. */
function letGo(ctx: Context): void {
  const { state } = ctx;
  let isAnyWaiting = false;
  for (const { queue } of state.order) {
    while (queue.length > 0) {
      const item = queue.shift()!;
      const ticket = item.call.local as Ticket;
      if (!mayBegin(ticket, ctx)) {
        queue.push(item);
        isAnyWaiting = true;
        break;
      }
      begin(ticket, ctx);
      item.call.resume();
    }
  }
  if (isAnyWaiting) state.timer.set(lookAgainMs);
}
