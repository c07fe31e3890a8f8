/**
 * The runtimes of the daemon: starts them, connects every two, and makes a new one when one fails.
 *
 * ```
 *  new ─▶ starting ─ready─▶ (policies are put in place) ─open─▶ running ─▶ stopping ─▶ ended
 *  ▲          │ fails                                              │ fails, or hangs
 *  └──────────┴──────── within the budget ◀────────────────────────┘
 * ```
 *
 * A thread that fails takes its datapaths with it and nothing else: its apps are told to come back, its
 * siblings drop their queues to it, its descriptors are closed, and a new thread takes its place.
 */
import { randomUUID } from "node:crypto";
import { messageOf } from "@koala/interface";
import { createMemoryPair } from "@koala/transport-memory";
import type { Config } from "../config/index.ts";
import { RuntimeThread } from "../control/runtime-thread.ts";
import type { EventBus } from "../events/event-bus.ts";
import type { SiblingEnd } from "../link/siblings.ts";
import type { RootLog } from "../log/index.ts";
import type { Notice, PeerAddress } from "../worker/commands.ts";
import type { RuntimeStatus } from "../worker/status.ts";
import { RestartBudget } from "./restart-budget.ts";
import { type Stall, Watchdog } from "./watchdog.ts";

/** What apps of a runtime that has failed are told. */
export const runtimeFailedCode = "ERR_RUNTIME_FAILED";

export interface RuntimePoolOptions {
  config: Config;
  log: RootLog;
  events: EventBus;
  onNotice: (notice: Notice) => void;
  /** Its datapaths are gone: apps are to be told. Returns how many there were. */
  onLost: (thread: RuntimeThread, code: string, message: string) => number;
  /** A state that somebody may wait for has changed. */
  onChange: () => void;
  /** The daemon can't go on. */
  onFailure: (reason: string) => void;
}

export class RuntimePool {
  /** By index; an entry is replaced when its thread is. */
  readonly threads: RuntimeThread[] = [];
  /** Puts in place what a thread needs before it serves anybody; for those that come later than the first ones. */
  prepare: (thread: RuntimeThread) => Promise<void> = () => Promise.resolve();
  /** Keeps a policy out of all runtimes, whose handler hangs; says what it is called. */
  quarantine: (slot: number, reason: string) => string | undefined = () => undefined;
  private readonly options: RuntimePoolOptions;
  /** Random; the same as before for a daemon that has taken over. */
  private instance: string = randomUUID();
  private readonly budget = new RestartBudget();
  private readonly watchdog: Watchdog<RuntimeThread>;
  private peers: readonly PeerAddress[] = [];
  private isOpen = false;
  private isTakeover = false;
  private isDraining = false;
  private isStopping = false;
  private turn = 0;

  constructor(options: RuntimePoolOptions) {
    this.options = options;
    this.watchdog = new Watchdog({
      stallMs: options.config.runtime.stallMs,
      threads: () => this.threads.filter(({ state }) => state !== "ended"),
      onStall: (thread, stall) => this.onStall(thread, stall),
      onRecovered: ({ index }, stalledMs) => {
        const fields = { runtime: index, stalledMs: Math.round(stalledMs) };
        options.log.area("runtime").warn("moves again", fields);
        options.events.publish("runtime", "recovered", fields);
      },
    });
  }

  /** All are there and know each other. */
  get areReady(): boolean {
    return this.threads.every(({ isReady }) => isReady);
  }

  /** None has an open call. */
  get haveDrained(): boolean {
    return this.threads.every(({ hasDrained, state }) => hasDrained || state === "ended");
  }

  /** What the next daemon has to know. */
  get identity(): { readonly instance: string; readonly turn: number } {
    return { instance: this.instance, turn: this.turn };
  }

  /** Starts threads that wait to be told what they were in another process. */
  startTakeover(peers: readonly PeerAddress[], count: number, instance: string): void {
    this.instance = instance;
    this.isTakeover = true;
    this.start(peers, count);
    this.isTakeover = false;
  }

  /** Starts the threads that the configuration asks for. */
  start(peers: readonly PeerAddress[], count: number = this.options.config.daemon.runtimes): void {
    this.peers = peers;
    const pairs = connectAll(count);
    for (let index = 0; index < count; index++) {
      this.threads.push(this.create(index, pairs[index]!, undefined));
    }
  }

  /** All that must be there before the first call is. */
  open(): void {
    this.isOpen = true;
    for (const thread of this.threads) thread.open();
  }

  /** Who gets the next connection of a peer. */
  nextForLink(): RuntimeThread {
    this.turn = (this.turn + 1) % this.threads.length;
    return this.threads[this.turn]!;
  }

  /** Who gets the next app. */
  place(_name: string): RuntimeThread {
    return this.threads.reduce((least, next) => (next.apps < least.apps ? next : least));
  }

  /** What each says of itself; rejects when one does not answer. */
  async statuses(): Promise<RuntimeStatus[]> {
    return await Promise.all(this.threads.map((thread) => thread.status()));
  }

  drain(): void {
    this.isDraining = true;
    for (const thread of this.threads) thread.command({ op: "drain" });
  }

  /** The next daemon has everything: the threads end where they are. */
  async leave(): Promise<void> {
    this.isStopping = true;
    this.watchdog.close();
    await Promise.all(this.threads.map((thread) => thread.leave()));
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    this.watchdog.close();
    await Promise.all(this.threads.map((thread) => thread.stop()));
  }

  private create(
    index: number,
    siblings: readonly SiblingEnd[],
    before: RuntimeThread | undefined,
  ): RuntimeThread {
    const { config, log } = this.options;
    const restarts = before === undefined ? 0 : before.restarts + 1;
    const thread = new RuntimeThread({
      data: {
        index,
        config,
        instance: `${this.instance}/${restarts === 0 ? index : `${index}.${restarts}`}`,
        logSpec: log.spec,
        siblings,
        peers: this.peers,
        isTakeover: this.isTakeover,
        alarm: this.watchdog.doorbell,
        cpus: before?.cpus ?? [],
      },
      log,
      onNotice: (from, notice) => this.onNotice(from, notice),
      onCrash: (crashed, reason) => this.onCrash(crashed, reason),
    });
    thread.restarts = restarts;
    thread.lastFailure = before?.lastFailure ?? "";
    this.watchdog.wake();
    return thread;
  }

  private onNotice(thread: RuntimeThread, notice: Notice): void {
    if (notice.op === "drained") thread.hasDrained = true;
    if (notice.op === "ready") {
      thread.isReady = true;
      if (this.isOpen) void this.complete(thread);
    }
    this.options.onNotice(notice);
    if (notice.op !== "event") this.options.onChange();
  }

  /** A thread that came later than the first ones: it serves once it has what they have. */
  private async complete(thread: RuntimeThread): Promise<void> {
    try {
      await this.prepare(thread);
    } catch (error) {
      thread.fail(`it can't be prepared: ${messageOf(error)}`);
      return;
    }
    if (thread.state !== "starting") return;
    thread.open();
    const { index, restarts } = thread;
    this.options.log.area("runtime").info("runs", { index, restarts });
    this.options.events.publish("runtime", "started", { runtime: index, restarts });
    this.options.onChange();
  }

  private onCrash(thread: RuntimeThread, reason: string): void {
    if (this.isStopping) return;
    const { index } = thread;
    const { log, events, onLost, onChange, onFailure } = this.options;
    thread.lastFailure = reason;
    const message = `runtime ${index} failed: ${reason}`;
    const apps = onLost(thread, runtimeFailedCode, `${message}; it is made anew`);
    log.area("runtime").error("failed", { index, reason, apps });
    events.publish("runtime", "failed", { runtime: index, reason, apps });
    for (const other of this.threads) {
      if (other !== thread) other.command({ op: "sibling-gone", runtime: index, reason: message });
    }
    if (!this.isOpen) onFailure(message);
    else if (!this.isDraining) this.replace(thread, message);
    onChange();
  }

  private replace(thread: RuntimeThread, message: string): void {
    if (!this.budget.take(performance.now())) {
      const { max, spanMs } = this.budget;
      this.options.onFailure(
        `${message}; runtimes have failed more than ${max} times in ${spanMs / 1000} s`,
      );
      return;
    }
    const { index } = thread;
    const ends: SiblingEnd[] = [];
    for (const other of this.threads) {
      if (other === thread || other.state === "ended") continue;
      const [mine, theirs] = connect(index, other.index);
      ends.push(mine);
      other.command({ op: "sibling", sibling: theirs });
    }
    this.threads[this.threads.indexOf(thread)] = this.create(index, ends, thread);
  }

  private onStall(thread: RuntimeThread, { handler, stalledMs }: Stall): void {
    const { log, events } = this.options;
    const { index } = thread;
    const area = log.area("runtime");
    if (handler === 0) {
      area.warn("hangs", { index, stalledMs });
      events.publish("runtime", "stalled", { runtime: index, stalledMs });
      return;
    }
    const why = `its handler has run for more than ${stalledMs} ms`;
    const policy = this.quarantine(handler, why) ?? `slot ${handler}`;
    area.error("hangs in a policy", { index, policy, stalledMs });
    events.publish("runtime", "stalled", { runtime: index, stalledMs, policy });
    thread.fail(`policy ${policy} did not return for ${stalledMs} ms`);
  }
}

/** Connects two runtimes: the end of the first, and of the second. */
function connect(first: number, second: number): [SiblingEnd, SiblingEnd] {
  const remoteOfA = `runtime ${second}`;
  const remoteOfB = `runtime ${first}`;
  const { a, b } = createMemoryPair({ remoteOfA, remoteOfB });
  return [
    { runtime: second, end: a },
    { runtime: first, end: b },
  ];
}

/** Connects every two runtimes: by runtime, its ends of the queues to the others. */
function connectAll(count: number): SiblingEnd[][] {
  const ends: SiblingEnd[][] = Array.from({ length: count }, () => []);
  for (let first = 0; first < count; first++) {
    for (let second = first + 1; second < count; second++) {
      const [a, b] = connect(first, second);
      ends[first]!.push(a);
      ends[second]!.push(b);
    }
  }
  return ends;
}
