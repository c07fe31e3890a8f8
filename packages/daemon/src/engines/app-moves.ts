/** Moves of apps from one runtime to another, while their calls are in flight. Main thread. */
import { KoalaError, messageOf } from "@koala/interface";
import type { MoveAnswer } from "@koala/protocol";
import type { RuntimeThread } from "../control/runtime-thread.ts";
import { appDescriptors } from "../datapath/app-state.ts";
import type { EventBus } from "../events/event-bus.ts";
import type { AreaLog } from "../log/index.ts";
import type { MovedApp, MoveOrder } from "./move-orders.ts";
import type { AnswerTo, RuntimeOrders } from "./runtime-orders.ts";

const deadlineMs = 5000;

/** The control channels of apps, as far as moves need them. */
export interface MovableApps {
  /** Who serves an app; undefined when there is no such app, or nobody does yet. */
  runtimeOf(app: number): RuntimeThread | undefined;
  /** What the app says waits in its socket until `letSpeak`. */
  hush(app: number): void;
  /** The app is served by this runtime, from now on or still. */
  letSpeak(app: number, runtime: RuntimeThread): void;
}

export interface AppMovesOptions {
  runtimes: () => readonly RuntimeThread[];
  apps: () => MovableApps;
  orders: RuntimeOrders;
  /** Does one change of the daemon at a time: two moves could each wait for a runtime that the other needs. */
  alone: <T>(change: () => Promise<T>) => Promise<T>;
  events: Pick<EventBus, "publish">;
  log: AreaLog;
}

export class AppMoves {
  private readonly options: AppMovesOptions;

  constructor(options: AppMovesOptions) {
    this.options = options;
  }

  /**
   * Moves an app. Its open calls go on, those that it makes meanwhile wait in its ring. Rejects with a
   * KoalaError that says why not; the app stays where it is then.
   */
  move(app: number, runtime: number): Promise<MoveAnswer> {
    return this.options.alone(() => this.carryOut(app, runtime));
  }

  private async carryOut(app: number, to: number): Promise<MoveAnswer> {
    const { runtimes, apps, events, log } = this.options;
    const channels = apps();
    const from = channels.runtimeOf(app);
    if (from === undefined) {
      throw new KoalaError("ERR_ENGINE_APP", `no app ${app} is attached; see koalactl apps`);
    }
    const target = runtimes().find(({ index }) => index === to);
    if (target === undefined || target.state !== "running") {
      const there = runtimes().map(({ index }) => index);
      throw new KoalaError(
        "ERR_ENGINE_RUNTIME",
        `runtime ${to} ${target === undefined ? "is not there" : `is ${target.state}`}; there are: ${there.join(", ")}`,
      );
    }
    if (target === from) {
      return { app, from: to, to, pauseMicros: 0, callsInFlight: 0, failed: 0 };
    }
    channels.hush(app);
    let served = from;
    try {
      const answer = await this.change(app, from, target);
      served = target;
      events.publish("app", "moved", { ...answer });
      log.info("app moved", { ...answer });
      return answer;
    } catch (error) {
      const reason = messageOf(error);
      log.warn("app not moved", { app, from: from.index, to, reason });
      throw error;
    } finally {
      channels.letSpeak(app, served);
    }
  }

  private async change(app: number, from: RuntimeThread, to: RuntimeThread): Promise<MoveAnswer> {
    const { schemas } = await this.give(from, { order: "describe", app });
    await this.give(to, { order: "learn", schemas });
    const { moved, atMicros } = await this.give(from, { order: "leave", app });
    const { streams } = await this.bring(app, from, to, moved);
    const { releases } = await this.give(from, { order: "part", app, to: to.index, streams });
    for (const fd of appDescriptors(moved.state)) from.descriptors.remove(fd);
    const settled = await this.give(to, { order: "settle", app, releases });
    return {
      app,
      from: from.index,
      to: to.index,
      pauseMicros: Math.round(settled.atMicros - atMicros),
      callsInFlight: moved.outgoing.length + moved.incoming.length,
      failed: 0,
    };
  }

  /** Up to here everything can be undone, and is when something goes wrong. */
  private async bring(
    app: number,
    from: RuntimeThread,
    to: RuntimeThread,
    moved: MovedApp,
  ): Promise<AnswerTo<"arrive">> {
    const fds = appDescriptors(moved.state);
    try {
      for (const fd of fds) to.descriptors.add(fd);
      const arrived = await this.give(to, { order: "arrive", moved, from: from.index });
      const { services } = arrived;
      const others = this.options
        .runtimes()
        .filter((each) => each !== to && each.state !== "ended");
      await Promise.all(
        others.map((other) => this.give(other, { order: "hear", runtime: to.index, services })),
      );
      return arrived;
    } catch (error) {
      for (const fd of fds) to.descriptors.remove(fd);
      await this.give(to, { order: "expel", app }).catch(() => {});
      await this.give(from, { order: "stay", app }).catch(() => {});
      throw error;
    }
  }

  private give<Order extends MoveOrder>(
    runtime: RuntimeThread,
    order: Order,
  ): Promise<AnswerTo<Order["order"]>> {
    return this.options.orders.give(runtime, order, deadlineMs);
  }
}
