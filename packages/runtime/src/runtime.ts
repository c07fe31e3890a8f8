/**
 * One runtime: a loop that polls the engines which have work, and sleeps when none has.
 *
 * The loop blocks its thread in `Waiter.wait`; the thread's event loop stands still meanwhile, which is
 * what makes a wake-up cheap (docs/internals/PERFORMANCE.md has the comparison). Whatever else the
 * thread must hear (commands of the control plane) arrives through a descriptor of the waiter, too.
 */
import type { Engine } from "@koala/interface";
import { SpinHistory, type Spinner } from "@koala/shm";
import { Heartbeat, type RuntimeCounters } from "./heartbeat.ts";
import { TimerWheel } from "./timer-wheel.ts";

/** Where a runtime sleeps. The implementation activates engines whose descriptors are ready. */
export interface Waiter {
  /** Waits up to so many microseconds (-1 without end, 0 not at all) and activates what became ready. */
  wait(timeoutMicros: number): void;
}

export interface RuntimeOptions {
  waiter: Waiter;
  spinner: Spinner;
  /** Monotonic clock, microseconds. */
  nowMicros: () => number;
  /** Lets other threads of this core go first; called between two looks while the runtime spins. */
  yieldThread: () => void;
  /** Units of work an engine does before the next one has its turn. */
  budget: number;
  /** Where the runtime shows what it does. */
  heartbeat?: Heartbeat;
}

/** What takes less is not worth a question. */
const longRoundMicros = 100;

export class Runtime {
  readonly timers: TimerWheel;
  readonly heartbeat: Heartbeat;
  /** Milliseconds of the clock, as of the start of this round. */
  nowMs: number;
  private readonly options: RuntimeOptions;
  private readonly active: Engine[] = [];
  private readonly activeSet = new Set<Engine>();
  /** Active engines that found less than their budget in this round. */
  private readonly idle: Engine[] = [];
  /**
   * Engines that were activated and not polled since. One that had its turn in this round already may be
   * activated by another one later in it: it must not be put to sleep then.
   */
  private readonly fresh = new Set<Engine>();
  private readonly dirty: Engine[] = [];
  private readonly dirtySet = new Set<Engine>();
  /** Counts rounds. */
  readonly progress: { serial: number } = { serial: 0 };
  /** Told of each round that took longer than usual, without the pauses in it. */
  onLongRound: (serial: number, micros: number) => void = () => {};
  private roundBegan = 0;
  /** An engine was activated since it was last looked at, perhaps one that is active anyway. */
  private woken = false;
  private stopped = false;
  /** Where work was handed to last in this round. */
  private lastFlushed: Engine | null = null;
  private readonly histories = new WeakMap<Engine, SpinHistory>();
  /** Of pauses before which nothing was handed to anybody. */
  private readonly aimless = new SpinHistory();
  private pauseHistory: SpinHistory | null = null;
  private pauseBegan = 0;

  constructor(options: RuntimeOptions) {
    this.options = options;
    this.heartbeat = options.heartbeat ?? new Heartbeat();
    this.nowMs = options.nowMicros() / 1000;
    this.timers = new TimerWheel(this.nowMs);
  }

  get counters(): RuntimeCounters {
    return this.heartbeat.counters();
  }

  /** The engine has, or may have, work: it is polled from the next round on, until it sleeps. */
  activate(engine: Engine): void {
    this.woken = true;
    this.fresh.add(engine);
    if (this.activeSet.has(engine)) return;
    this.activeSet.add(engine);
    this.active.push(engine);
  }

  /** The engine's outputs changed: `flush` is called before this round ends. */
  markDirty(engine: Engine): void {
    if (this.dirtySet.has(engine)) return;
    this.dirtySet.add(engine);
    this.dirty.push(engine);
  }

  /** The engine is gone: it is neither polled nor flushed any more. */
  remove(engine: Engine): void {
    this.fresh.delete(engine);
    if (this.activeSet.delete(engine)) this.active.splice(this.active.indexOf(engine), 1);
    if (this.dirtySet.delete(engine)) this.dirty.splice(this.dirty.indexOf(engine), 1);
    // Its memory may be unmapped by now, so a spin must not look at it either.
    const index = this.idle.indexOf(engine);
    if (index >= 0) this.idle.splice(index, 1);
    if (this.lastFlushed === engine) this.lastFlushed = null;
  }

  /** Makes visible at once what engines have put into their outputs; for an engine that is being polled. */
  flushAll(): void {
    this.flushDirty();
  }

  /** Runs until `stop`; returns then. */
  run(): void {
    while (!this.stopped) this.round();
  }

  /** Ends `run` after the current round. */
  stop(): void {
    this.stopped = true;
  }

  /** One turn of the loop; apart from `run` for tests. */
  round(): void {
    const now = this.options.nowMicros();
    this.nowMs = now / 1000;
    const paused = this.endPause(now);
    this.heartbeat.round(now, paused);
    this.judgeRound(now, paused);
    if (this.timers.count > 0) this.timers.advance(this.nowMs);
    this.lastFlushed = null;
    const allIdle = this.pollActive();
    this.flushDirty();
    if (this.stopped || (allIdle && this.spin())) return;
    this.putToSleep();
    const { waiter, nowMicros } = this.options;
    if (this.active.length > 0 || this.dirty.length > 0) {
      waiter.wait(0);
      return;
    }
    this.heartbeat.sleep(this.pauseBegan);
    // The round has taken its time: with the clock of its start, timers would be that much late.
    const untilMs = this.timers.count === 0 ? -1 : this.timers.untilNextMs(nowMicros() / 1000);
    this.woken = false;
    waiter.wait(untilMs < 0 ? -1 : Math.ceil(untilMs * 1000));
    if (this.woken || this.dirty.length > 0) this.heartbeat.wakeup();
  }

  /** Looks how long the round that has just ended took. */
  private judgeRound(now: number, pausedMicros: number): void {
    const took = now - this.roundBegan - pausedMicros;
    if (took > longRoundMicros && this.roundBegan > 0) {
      this.onLongRound(this.progress.serial, took);
    }
    this.roundBegan = now;
    this.progress.serial++;
  }

  /** Polls what is active; true if no engine has used up its budget. */
  private pollActive(): boolean {
    const budget = this.options.budget;
    let allIdle = true;
    this.idle.length = 0;
    // Engines that are activated meanwhile are polled in this round, too.
    for (let i = 0; i < this.active.length; i++) {
      const engine = this.active[i]!;
      this.fresh.delete(engine);
      if (engine.poll(budget) >= budget) allIdle = false;
      else this.idle.push(engine);
      if (this.active[i] !== engine) i--; // it was removed while it was polled
    }
    return allIdle;
  }

  /** Looks for work for a while instead of sleeping; true if there is some. */
  private spin(): boolean {
    if (this.fresh.size > 0) return true;
    const { spinner, waiter, nowMicros, yieldThread } = this.options;
    const begin = nowMicros();
    const history = this.historyOf(this.lastFlushed);
    this.pauseBegan = begin;
    this.pauseHistory = history;
    const micros = spinner.budgetMicros(history);
    if (micros === 0) return false;
    this.heartbeat.spin();
    this.watchLastFlushed();
    const until = begin + micros;
    let found = false;
    this.woken = false;
    do {
      for (const engine of this.idle) if (engine.hasWork()) found = true;
      if (!found) {
        waiter.wait(0);
        yieldThread();
      }
      // What the waiter has told is not told again: engines must be polled, and flushed, before a sleep.
      if (this.woken || this.dirty.length > 0) found = true;
    } while (!found && nowMicros() < until);
    if (found) this.heartbeat.spinHit();
    return found;
  }

  /** Whoever got work last is the likeliest to answer: it need not ring while this thread looks. */
  private watchLastFlushed(): void {
    const engine = this.lastFlushed;
    if (engine === null || this.activeSet.has(engine)) return;
    engine.awake?.();
    this.activeSet.add(engine);
    this.active.push(engine);
    this.idle.push(engine);
  }

  /** Microseconds of the pause that ends now; 0 if there was none. */
  private endPause(now: number): number {
    if (this.pauseHistory === null) return 0;
    const micros = now - this.pauseBegan;
    this.options.spinner.learn(this.pauseHistory, micros);
    this.pauseHistory = null;
    return micros;
  }

  private historyOf(engine: Engine | null): SpinHistory {
    if (engine === null) return this.aimless;
    let history = this.histories.get(engine);
    if (history === undefined) {
      history = new SpinHistory();
      this.histories.set(engine, history);
    }
    return history;
  }

  private putToSleep(): void {
    for (const engine of this.idle) {
      if (!this.activeSet.has(engine) || this.fresh.has(engine) || !engine.sleep()) continue;
      this.activeSet.delete(engine);
      this.active.splice(this.active.indexOf(engine), 1);
    }
    this.idle.length = 0;
  }

  private flushDirty(): void {
    while (this.dirty.length > 0) {
      const engine = this.dirty.pop()!;
      this.dirtySet.delete(engine);
      this.lastFlushed = engine;
      engine.flush();
    }
  }
}
