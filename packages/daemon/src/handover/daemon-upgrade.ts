/** Replacing the daemon's process while it serves: the part of the daemon that leaves, and that comes. */
import { KoalaError, type Listener } from "@koala/interface";
import { closeFd } from "@koala/native";
import type { DaemonUpgradeAnswer, DaemonUpgradeRequest } from "@koala/protocol";
import type { AdminServer } from "../control/admin-server.ts";
import type { AppServer } from "../control/app-server.ts";
import type { EventBus } from "../events/event-bus.ts";
import type { RootLog } from "../log/index.ts";
import type { CarriedModule } from "../modules/index.ts";
import type { PolicyManager } from "../policies/policy-manager.ts";
import type { RuntimePool } from "../runtimes/runtime-pool.ts";
import type { PeerAddress } from "../worker/commands.ts";
import { HandingOver, handoverFatalCode } from "./handing-over.ts";
import type { MainState } from "./main-state.ts";
import { Predecessor } from "./predecessor.ts";
import { RuntimeAnswers } from "./runtime-answers.ts";
import type { HandoverNotice } from "./runtime-commands.ts";
import { daemonStateVersion } from "./runtime-state.ts";

const prepareDeadlineMs = 30_000;
const restoreDeadlineMs = 15_000;
const resumeDeadlineMs = 15_000;

/** The daemon as an upgrade sees it. */
export interface UpgradedDaemon {
  readonly log: RootLog;
  readonly events: EventBus;
  readonly runtimes: RuntimePool;
  readonly appServer: AppServer;
  readonly adminServer: AdminServer;
  readonly listener: Listener | undefined;
  readonly prefix: string;
  readonly lock: number;
  readonly policies: Pick<PolicyManager, "count" | "saveShared">;
  /** Code that the next daemon is to go on with. */
  modules(): CarriedModule[];
  /** Connections of peers wait. */
  pauseLinks(): void;
  takeLinks(): void;
  /** The next daemon serves: this one ends without a word. */
  leave(): void;
  /** Nobody serves any more. */
  fail(reason: string): void;
}

export class DaemonUpgrade {
  private running: HandingOver | undefined;
  private readonly restoring = new RuntimeAnswers();

  /** What a runtime answers. */
  take(notice: HandoverNotice): void {
    if (this.running === undefined) this.restoring.take(notice);
    else this.running.take(notice);
  }

  /** The daemon stops, or a runtime has failed. */
  fail(reason: string): void {
    this.running?.fail(reason);
    this.restoring.fail(reason);
  }

  /** Hands over; returns once the next daemon serves, throws when this one goes on. */
  async handOver(
    daemon: UpgradedDaemon,
    { program, dryRun = false }: DaemonUpgradeRequest,
  ): Promise<DaemonUpgradeAnswer> {
    if (this.running !== undefined) {
      const text = "an upgrade of the daemon is under way already; wait for its end";
      throw new KoalaError("ERR_HANDOVER_BUSY", text);
    }
    const { runtimes, appServer, adminServer, listener, policies, log, events } = daemon;
    const absent = runtimes.threads.find(({ state }) => state !== "running");
    if (absent !== undefined) {
      const text = `runtime ${absent.index} is ${absent.state}, expected running; try again in a moment`;
      throw new KoalaError("ERR_HANDOVER_BUSY", text);
    }
    const area = log.area("daemon");
    const handingOver = new HandingOver({
      prefix: daemon.prefix,
      lock: daemon.lock,
      instance: runtimes.identity.instance,
      nextRuntime: runtimes.identity.turn,
      listener: listener?.fd ?? -1,
      admin: adminServer.fd,
      policyCount: policies.count,
      modules: () => daemon.modules(),
      policies: () => policies.saveShared(),
      runtimeCount: runtimes.threads.length,
      command: (command) => {
        for (const thread of runtimes.threads) thread.command(command);
      },
      pause: () => {
        appServer.pause();
        adminServer.pause();
        daemon.pauseLinks();
      },
      unpause: () => {
        appServer.start();
        adminServer.resume();
        daemon.takeLinks();
      },
      apps: () => appServer.save(),
      saveEvents: () => events.save(),
      resumeEvents: () => events.resume(),
      note: (step, fields) => {
        area.info(step, fields);
        events.publish("upgrade", step, fields);
      },
    });
    this.running = handingOver;
    try {
      const { answer, hasLeft } = await handingOver.run(program, dryRun);
      if (hasLeft) daemon.leave();
      else this.running = undefined;
      return answer;
    } catch (error) {
      if (error instanceof KoalaError && error.code === handoverFatalCode) {
        daemon.fail(error.message);
      } else this.running = undefined;
      throw error;
    }
  }

  /**
   * Takes over from the daemon at the other end of the channel: starts runtimes, makes them what they were
   * there, and lets them go. `load` loads code before runtimes start. `open` makes the sockets of the main thread; nothing may be taken from them
   * before `serve`. Throws when the old daemon goes on.
   */
  async takeOver(
    fd: number,
    runtimes: RuntimePool,
    peers: readonly PeerAddress[],
    load: (modules: readonly CarriedModule[]) => Promise<void>,
    untilReady: () => Promise<void>,
    open: (state: MainState) => void,
    serve: () => void,
  ): Promise<void> {
    const predecessor = new Predecessor(fd);
    try {
      const preparation = await predecessor.begin();
      const count = preparation.runtimes;
      await load(preparation.modules);
      runtimes.startTakeover(peers, count, preparation.instance);
      await untilReady();
      for (const thread of runtimes.threads) {
        thread.command({ op: "prepare", fd: preparation.schemas });
      }
      await this.restoring.all("prepared", count, prepareDeadlineMs);
      closeFd(preparation.schemas);
      const state = await predecessor.state();
      checkState(state, count);
      open(state);
      runtimes.threads.forEach((thread, index) => {
        const { fd: file, fds } = state.runtimes[index]!;
        thread.command({ op: "restore", fd: file, fds: [...fds] });
      });
      await this.restoring.all("restored", count, restoreDeadlineMs);
      for (const { fd: file } of state.runtimes) closeFd(file);
      await predecessor.commit();
    } catch (error) {
      await predecessor.refuse(error);
      throw error;
    }
    for (const thread of runtimes.threads) thread.command({ op: "thaw" });
    serve();
    const thawed = await this.restoring.all("thawed", runtimes.threads.length, resumeDeadlineMs);
    await predecessor.running(Math.max(...thawed.map(({ atMicros }) => atMicros)));
  }
}

function checkState({ version, runtimes }: MainState, count: number): void {
  if (version === daemonStateVersion && runtimes.length === count) return;
  throw new KoalaError(
    "ERR_HANDOVER_STATE",
    `the state has version ${version} and ${runtimes.length} runtimes, expected ${daemonStateVersion} and ${count}`,
  );
}
