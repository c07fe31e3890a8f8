/**
 * The runtimes of the daemon: starts them, connects every two, places apps, and makes a new one when one
 * fails or an app is to have one of its own.
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
import { monotonicMicros } from "@koala/native";
import { fits } from "@koala/policy/engine";
import { type Processor, readTopology } from "@koala/runtime";
import type { Config } from "../config/index.ts";
import { RuntimeThread } from "../control/runtime-thread.ts";
import type { EventBus } from "../events/event-bus.ts";
import type { SiblingEnd } from "../link/siblings.ts";
import type { RootLog } from "../log/index.ts";
import type { Notice, PeerAddress } from "../worker/commands.ts";
import type { RuntimeStatus } from "../worker/status.ts";
import { affinityNotes, processorsFor } from "./affinity.ts";
import { type Place, Placer } from "./placement.ts";
import { Rebalancer } from "./rebalancer.ts";
import { RestartBudget } from "./restart-budget.ts";
import { connectAllSiblings, connectSiblings } from "./sibling-pairs.ts";
import { type Stall, Watchdog } from "./watchdog.ts";

/** What apps of a runtime that has failed are told. */
export const runtimeFailedCode = "ERR_RUNTIME_FAILED";

/** A runtime that was made for an app stays for the next one this long. */
const spareMs = 10_000;

export interface RuntimePoolOptions {
  config: Config;
  log: RootLog;
  events: EventBus;
  onNotice: (thread: RuntimeThread, notice: Notice) => void;
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
  /** Most of them that there can be. */
  readonly max: number;
  /** What this machine can't give, as sentences. */
  notes: readonly string[] = [];
  /** Puts in place what a thread needs before it serves anybody; for those that come later than the first ones. */
  prepare: (thread: RuntimeThread) => Promise<void> = () => Promise.resolve();
  /** Keeps a policy out of all runtimes, whose handler hangs; says what it is called. */
  quarantine: (slot: number, reason: string) => string | undefined = () => undefined;
  /** Moves an app to another runtime; what `rebalance` of the configuration needs. */
  move: ((app: number, runtime: number) => Promise<unknown>) | undefined;
  private readonly options: RuntimePoolOptions;
  /** Random; the same as before for a daemon that has taken over. */
  private instance: string = randomUUID();
  private readonly budget = new RestartBudget();
  private readonly placer: Placer;
  private readonly topology: readonly Processor[];
  private watchdog: Watchdog<RuntimeThread> | undefined;
  private peers: readonly PeerAddress[] = [];
  private isOpen = false;
  private isTakeover = false;
  private isDraining = false;
  private isStopping = false;
  private turn = 0;

  constructor(options: RuntimePoolOptions) {
    this.options = options;
    const { daemon, runtime, placements } = options.config;
    this.max = Math.max(daemon.runtimes, runtime.runtimesMax);
    this.placer = new Placer({ mode: runtime.mode, rules: placements, runtimesMax: this.max });
    this.topology = runtime.affinity === "none" ? [] : readTopology();
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
    const { log, events, config } = this.options;
    const rebalancer = this.createRebalancer();
    this.watchdog = new Watchdog({
      stallMs: config.runtime.stallMs,
      threads: () => this.threads.filter(({ state }) => state !== "ended"),
      onStall: (thread, stall) => this.onStall(thread, stall),
      onRecovered: ({ index }, stalledMs) => {
        const fields = { runtime: index, stalledMs: Math.round(stalledMs) };
        log.area("runtime").warn("moves again", fields);
        events.publish("runtime", "recovered", fields);
      },
      onLook: (nowMs) => rebalancer?.look(nowMs),
    });
    this.notes = affinityNotes(config.runtime.affinity, this.topology, count);
    for (const note of this.notes) log.area("runtime").warn(note);
    const ends = connectAllSiblings(count);
    for (let index = 0; index < count; index++) {
      this.threads.push(this.create(index, ends[index]!, undefined));
    }
  }

  /** All that must be there before the first call is. */
  open(): void {
    this.isOpen = true;
    for (const thread of this.threads) thread.open();
  }

  /** Who gets the next connection of a peer. */
  nextForLink(): RuntimeThread {
    const { runtimes } = this.options.config.daemon;
    this.turn = (this.turn + 1) % runtimes;
    return this.threads.find(({ index }) => index === this.turn) ?? this.threads[0]!;
  }

  /** Who gets the next app, which has this name. It may have to be made for it first. */
  place(name: string): RuntimeThread {
    const now = monotonicMicros();
    const threads = this.threads.filter(({ state }) => state === "running" || state === "starting");
    const { index, isDedicated } = this.placer.choose(
      name,
      threads.map((thread): Place => {
        const { load } = thread.heartbeat.rates(now);
        const { index, apps, state } = thread;
        const isDedicated = thread.isDedicated && apps > 0;
        return { index, isRunning: state === "running", apps, load, isDedicated };
      }),
    );
    const found = index === "new" ? this.add() : threads.find((thread) => thread.index === index)!;
    found.isDedicated = isDedicated;
    return found;
  }

  /** An app has left a thread. One that was made for it goes after a while, unless another app takes it. */
  left(thread: RuntimeThread): void {
    if (thread.apps > 0 || thread.index < this.options.config.daemon.runtimes) return;
    setTimeout(() => this.retireSpare(), spareMs).unref();
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
    this.watchdog?.close();
    await Promise.all(this.threads.map((thread) => thread.leave()));
  }

  async stop(): Promise<void> {
    this.isStopping = true;
    this.watchdog?.close();
    await Promise.all(this.threads.map((thread) => thread.stop()));
  }

  private createRebalancer(): Rebalancer | undefined {
    const { move } = this;
    const { config, log } = this.options;
    if (config.runtime.rebalance === "off" || move === undefined) return undefined;
    return new Rebalancer({
      threads: () => (this.isOpen && !this.isDraining ? this.threads : []),
      mayMove: (name) => !config.placements.some(({ caller }) => fits(caller, name)),
      move,
      log: log.area("runtime"),
    });
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
        alarm: this.watchdog!.doorbell,
        cpus: processorsFor(config.runtime.affinity, this.topology, index),
      },
      log,
      onNotice: (from, notice) => this.onNotice(from, notice),
      onCrash: (crashed, reason) => this.onCrash(crashed, reason),
    });
    thread.restarts = restarts;
    thread.lastFailure = before?.lastFailure ?? "";
    this.watchdog!.wake();
    return thread;
  }

  /** Queues between a new thread and all that run: its own ends. */
  private connect(index: number): SiblingEnd[] {
    const ends: SiblingEnd[] = [];
    for (const other of this.threads) {
      if (other.index === index || other.state === "ended" || other.state === "stopping") continue;
      const [mine, theirs] = connectSiblings(index, other.index);
      ends.push(mine);
      other.command({ op: "sibling", sibling: theirs });
    }
    return ends;
  }

  private add(): RuntimeThread {
    const index = this.threads.length;
    const thread = this.create(index, this.connect(index), undefined);
    this.threads.push(thread);
    return thread;
  }

  /** From the last one on, so that indexes have no gaps: one that is left over waits for those behind it. */
  private retireSpare(): void {
    const last = this.threads.at(-1);
    if (last === undefined || last.index < this.options.config.daemon.runtimes) return;
    const isSpare = last.apps === 0 && last.state === "running";
    if (isSpare && !this.isDraining && !this.isStopping) void this.retire(last);
  }

  /** Ends a thread that nobody needs: its links go when their calls have ended. */
  private async retire(thread: RuntimeThread): Promise<void> {
    const { index } = thread;
    thread.retire();
    await thread.drained;
    await thread.stop();
    if (!this.threads.includes(thread)) return; // it has failed meanwhile
    this.forget(thread, `runtime ${index} is not needed any more`);
    this.options.events.publish("runtime", "retired", { runtime: index });
    this.retireSpare();
  }

  private forget(thread: RuntimeThread, reason: string): void {
    const at = this.threads.indexOf(thread);
    if (at >= 0) this.threads.splice(at, 1);
    this.disconnect(thread, reason);
  }

  private disconnect(thread: RuntimeThread, reason: string): void {
    for (const other of this.threads) {
      if (other === thread) continue;
      other.command({ op: "sibling-gone", runtime: thread.index, reason });
    }
  }

  private onNotice(thread: RuntimeThread, notice: Notice): void {
    if (notice.op === "drained") thread.markDrained();
    if (notice.op === "ready") {
      thread.isReady = true;
      if (this.isOpen) void this.complete(thread);
    }
    this.options.onNotice(thread, notice);
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
    const apps = onLost(thread, runtimeFailedCode, `${message}; connect again`);
    log.area("runtime").error("failed", { index, reason, apps });
    events.publish("runtime", "failed", { runtime: index, reason, apps });
    this.disconnect(thread, message);
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
    this.threads[this.threads.indexOf(thread)] = this.create(index, this.connect(index), thread);
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
    const why = `its handler did not return for ${stalledMs} ms`;
    const policy = this.quarantine(handler, why) ?? `slot ${handler}`;
    area.error("hangs in a policy", { index, policy, stalledMs });
    events.publish("runtime", "stalled", { runtime: index, stalledMs, policy });
    thread.fail(`policy ${policy} did not return for ${stalledMs} ms`);
  }
}
