/**
 * Calls all the time, and says for a while on command when replies came. Times are milliseconds since 1970,
 * so that the main program can compare them with its own.
 */
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import type { Call } from "../load/call-load.ts";
import { endLine } from "../load/load-command.ts";
import { say } from "../load/obey-commands.ts";
import type { WatchCommand, Watched } from "../load/timeline.ts";

/** What is not listed: thousands of replies come in a burst. */
const gapMsMin = 0.1;
const stepMsDefault = 10;

/** How calls are made. */
export interface WatchedLoad {
  /** So many at the same time, each of which follows on a reply; or with `perSecond`, one when it is due. */
  readonly inFlight: number;
  /**
   * Open loop: so many calls are due in each second, whether or not others have returned. Timers are a
   * millisecond coarse, and latencies count from when calls were due.
   */
  readonly perSecond: number;
}

/** Reads `IN_FLIGHT` or `paced:CALLS_PER_SECOND`. */
export function watchedLoadOf(argument = ""): WatchedLoad {
  const [, paced] = /^paced:(\d+)$/.exec(argument) ?? [];
  return { inFlight: Number(paced === undefined ? argument : 0), perSecond: Number(paced ?? 0) };
}

/** Says that it is ready, obeys, and returns when it is told to end and no call is under way. */
export async function watchCalls(call: Call, load: WatchedLoad): Promise<void> {
  const watcher = new CallWatcher(call);
  const loops = watcher.start(load);
  say({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === endLine) break;
    say(await watcher.watch(JSON.parse(line) as WatchCommand));
  }
  process.stdin.destroy();
  watcher.stop();
  await loops;
}

class CallWatcher {
  private readonly call: Call;
  private running = true;
  private failed = 0;
  private lastReply = now();
  /** What is being watched; undefined between two commands. */
  private watched: Watched | undefined;
  private stepMs = stepMsDefault;

  constructor(call: Call) {
    this.call = call;
  }

  async start({ inFlight, perSecond }: WatchedLoad): Promise<void> {
    if (perSecond > 0) await this.pace(perSecond);
    else await Promise.all(Array.from({ length: inFlight }, () => this.loop()));
  }

  stop(): void {
    this.running = false;
  }

  async watch({ seconds, stepMs = stepMsDefault }: WatchCommand): Promise<Watched> {
    const failedBefore = this.failed;
    const result: Watched = {
      beganMs: now(),
      gaps: [],
      callsPerStep: [],
      latencies: [],
      failed: 0,
    };
    this.stepMs = stepMs;
    this.watched = result;
    say({ watching: true });
    await setTimeout(seconds * 1000);
    this.watched = undefined;
    // Without it a silence that goes on would not be seen.
    const silence = now() - this.lastReply;
    if (silence > gapMsMin) result.gaps.push([this.lastReply, silence]);
    result.failed = this.failed - failedBefore;
    const steps = Math.round((seconds * 1000) / stepMs);
    for (let i = 0; i < steps; i++) result.callsPerStep[i] ??= 0;
    result.callsPerStep.length = steps; // the timer may have been late
    return result;
  }

  private async loop(): Promise<void> {
    while (this.running) {
      try {
        await this.call();
        this.note(now());
      } catch {
        this.failed++;
        // Who is refused at once must not keep the others from running.
        await setTimeout(1);
      }
    }
  }

  private async pace(perSecond: number): Promise<void> {
    const underWay = new Set<Promise<void>>();
    const intervalMs = 1000 / perSecond;
    let dueMs = now();
    while (this.running) {
      await setTimeout(1);
      for (const at = now(); dueMs <= at; dueMs += intervalMs) {
        const made = this.make(dueMs).finally(() => underWay.delete(made));
        underWay.add(made);
      }
    }
    await Promise.all(underWay);
  }

  private async make(dueMs: number): Promise<void> {
    try {
      await this.call();
      const at = now();
      this.note(at);
      this.watched?.latencies.push([dueMs, at - dueMs]);
    } catch {
      this.failed++;
    }
  }

  private note(at: number): void {
    const { watched } = this;
    if (watched !== undefined) {
      const step = Math.floor((at - watched.beganMs) / this.stepMs);
      watched.callsPerStep[step] = (watched.callsPerStep[step] ?? 0) + 1;
      const gap = at - this.lastReply;
      if (gap > gapMsMin) watched.gaps.push([this.lastReply, gap]);
    }
    this.lastReply = at;
  }
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
