/**
 * Notices runtimes that do not finish a round. It looks at their heartbeats a few times per limit as long
 * as somebody works; when all sleep, it stops and is rung by the first that begins a round again, so an
 * idle daemon costs nothing.
 *
 * Time counts only as far as this thread has moved itself, and not while the other one was ready and had
 * no processor: neither a process that was stopped nor a machine that is overloaded has stalled.
 */
import { closeFd, doorbellCreate, POLL_IN, unwatch, watch } from "@koala/native";
import { type HeartbeatReader, Phase } from "@koala/runtime";
import { threadTimes } from "./thread-times.ts";

/** Looks in one limit. */
const looksPerStall = 8;
const intervalMsMin = 5;
const intervalMsMax = 1000;

/** A thread to look at. */
export interface Watched {
  readonly index: number;
  readonly heartbeat: HeartbeatReader;
}

/** A round that takes too long. */
export interface Stall {
  /** Number of the policy slot whose handler is inside; 0: none. */
  readonly handler: number;
  readonly stalledMs: number;
}

export interface WatchdogOptions<Thread extends Watched> {
  stallMs: number;
  /** Who runs now. */
  threads: () => readonly Thread[];
  /** Told once for each round that takes longer than the limit. */
  onStall: (thread: Thread, stall: Stall) => void;
  /** Such a round has ended after all. */
  onRecovered: (thread: Thread, stalledMs: number) => void;
  /** Told at each look, so for as long as anybody works. */
  onLook?: (nowMs: number) => void;
}

interface Look {
  round: number;
  handler: number;
  stalledMs: number;
  /** What it had waited for a processor in all when it was first found in the same round. */
  queuedMs: number;
  told: boolean;
}

export class Watchdog<Thread extends Watched> {
  /** Threads ring it when they begin a round while nobody looks. */
  readonly doorbell: number = doorbellCreate();
  private readonly options: WatchdogOptions<Thread>;
  private readonly intervalMs: number;
  private readonly watcher: number;
  private readonly looks = new Map<Thread, Look>();
  private timer: NodeJS.Timeout | undefined;
  private lookedAt = 0;
  /** Looks in a row at which all slept. */
  private quiet = 0;

  constructor(options: WatchdogOptions<Thread>) {
    this.options = options;
    const interval = options.stallMs / looksPerStall;
    this.intervalMs = Math.min(intervalMsMax, Math.max(intervalMsMin, interval));
    const rung = (): void => this.wake();
    this.watcher = watch(this.doorbell, POLL_IN, rung, { clear: true, ref: false });
    this.wake();
  }

  /** Whether it looks at all; false while all sleep. */
  get isAwake(): boolean {
    return this.timer !== undefined;
  }

  /** Somebody works, or a thread is new. */
  wake(): void {
    this.quiet = 0;
    if (this.timer !== undefined) return;
    this.lookedAt = performance.now();
    this.timer = setInterval(() => this.look(performance.now()), this.intervalMs);
    this.timer.unref();
  }

  close(): void {
    clearInterval(this.timer);
    unwatch(this.watcher);
    closeFd(this.doorbell);
  }

  private look(now: number): void {
    // Later than it should be by much: this thread was stopped, too, and how long says nothing of others.
    const passedMs = Math.min(now - this.lookedAt, 1.5 * this.intervalMs);
    this.lookedAt = now;
    const threads = this.options.threads();
    for (const known of this.looks.keys()) if (!threads.includes(known)) this.looks.delete(known);
    let isQuiet = true;
    for (const thread of threads) if (!this.lookAt(thread, passedMs)) isQuiet = false;
    this.options.onLook?.(now);
    this.quiet = isQuiet ? this.quiet + 1 : 0;
    if (this.quiet === 1) for (const { heartbeat } of threads) heartbeat.doze();
    // Asked to ring at the last look, and nobody has moved since: from here on nothing can be missed.
    if (this.quiet < 2) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** True if the thread has slept since the last look. */
  private lookAt(thread: Thread, passedMs: number): boolean {
    const { phase, round, handler } = thread.heartbeat.sample();
    const look = this.looks.get(thread);
    if (look === undefined) {
      this.looks.set(thread, { round, handler, stalledMs: 0, queuedMs: 0, told: false });
      return false;
    }
    const isSame = look.round === round;
    const isAsleep = phase === Phase.SLEEPING || phase === Phase.NEW;
    if (isAsleep || !isSame) {
      if (look.told) this.options.onRecovered(thread, look.stalledMs);
      look.stalledMs = 0;
      look.told = false;
    } else {
      if (look.stalledMs === 0) look.queuedMs = queuedMsOf(thread);
      look.stalledMs += passedMs;
    }
    // A handler is to blame if it was inside at two looks in a row.
    const blamed = isSame && look.handler === handler ? handler : 0;
    look.round = round;
    look.handler = handler;
    if (look.stalledMs >= this.options.stallMs && !look.told) {
      const stalledMs = look.stalledMs - (queuedMsOf(thread) - look.queuedMs);
      if (stalledMs >= this.options.stallMs) {
        look.told = true;
        this.options.onStall(thread, { handler: blamed, stalledMs: Math.round(stalledMs) });
      }
    }
    return isAsleep && isSame;
  }
}

function queuedMsOf({ heartbeat }: Watched): number {
  return threadTimes(heartbeat.thread)?.queuedMs ?? 0;
}
