/**
 * Moves apps from busy runtimes to idle ones, by itself and slowly: a runtime has to be busy at several
 * looks in a row, one app moves at a time, and then there is a pause. Looks come from the watchdog, so
 * that there are none while all sleep.
 */
import { messageOf } from "@koala/interface";
import { monotonicMicros } from "@koala/native";
import type { RuntimeThread } from "../control/runtime-thread.ts";
import type { AreaLog } from "../log/index.ts";
import type { RuntimeStatus } from "../worker/status.ts";
import { type BusyRuntime, busyLoad, chooseMove } from "./rebalance.ts";

const lookMs = 1000;
/** Looks in a row at which a runtime is busy. */
const looksMin = 3;
/** After a move, until its effect can be seen. */
const pauseMs = 5000;

export interface RebalancerOptions {
  threads: () => readonly RuntimeThread[];
  /** Whether no rule ties the app to where it is. */
  mayMove: (name: string) => boolean;
  move: (app: number, runtime: number) => Promise<unknown>;
  log: AreaLog;
}

export class Rebalancer {
  private readonly options: RebalancerOptions;
  private lookedAt = 0;
  private notBefore = 0;
  private busyLooks = 0;
  private isAtWork = false;
  /** Calls of each app up to the last look. */
  private calls = new Map<number, number>();

  constructor(options: RebalancerOptions) {
    this.options = options;
  }

  /** To be called often while anybody works. */
  look(nowMs: number): void {
    if (this.isAtWork || nowMs < this.notBefore || nowMs - this.lookedAt < lookMs) return;
    this.lookedAt = nowMs;
    const now = monotonicMicros();
    const isBusy = this.options
      .threads()
      .some(({ heartbeat }) => heartbeat.rates(now).load >= busyLoad);
    this.busyLooks = isBusy ? this.busyLooks + 1 : 0;
    // The look before tells how many calls there have been until then.
    if (this.busyLooks < looksMin - 1) return;
    this.isAtWork = true;
    void this.decide(nowMs).finally(() => {
      this.isAtWork = false;
    });
  }

  private async decide(nowMs: number): Promise<void> {
    const { threads, move, log } = this.options;
    const running = threads().filter(({ state }) => state === "running");
    try {
      const found = await Promise.all(
        running.map(async (thread) => this.describe(thread, await thread.status())),
      );
      this.calls = new Map(
        found.flatMap(({ totals }) => totals.map(({ id, calls }) => [id, calls] as const)),
      );
      if (this.busyLooks < looksMin) return;
      const chosen = chooseMove(found.map(({ runtime }) => runtime));
      if (chosen === undefined) return;
      this.busyLooks = 0;
      this.notBefore = nowMs + pauseMs;
      log.info("balances", { ...chosen });
      await move(chosen.app, chosen.to);
    } catch (error) {
      // A runtime that does not answer, or an app that can't move now: there is a next time.
      this.notBefore = nowMs + pauseMs;
      log.info("not balanced", { reason: messageOf(error) });
    }
  }

  private describe(
    { index, isDedicated, heartbeat }: RuntimeThread,
    { apps }: RuntimeStatus,
  ): { runtime: BusyRuntime; totals: { id: number; calls: number }[] } {
    const totals = apps.map(({ id, callsMade, callsServed }) => {
      return { id, calls: callsMade + callsServed };
    });
    return {
      totals,
      runtime: {
        index,
        isDedicated,
        load: heartbeat.rates(monotonicMicros()).load,
        apps: apps.map(({ id, name }, at) => {
          const total = totals[at]!.calls;
          const calls = Math.max(0, total - (this.calls.get(id) ?? total));
          return { id, calls, mayMove: this.options.mayMove(name) };
        }),
      },
    };
  }
}
