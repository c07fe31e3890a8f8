/**
 * The daemon as a whole: starts the runtimes, the app server, the listening port and the admin socket,
 * and stops them in order.
 */
import { lookup } from "node:dns/promises";
import { join } from "node:path";
import { KoalaError, type Listener, messageOf } from "@koala/interface";
import { EAGAIN, errnoName, POLL_IN, unwatch, watch } from "@koala/native";
import { ADMIN_SOCKET, CONTROL_SOCKET } from "@koala/protocol";
import { adoptTcpListener, createTcpTransport } from "@koala/transport-tcp";
import { type Config, formatAddress, type LoadedConfig } from "../config/index.ts";
import { AppMoves } from "../engines/app-moves.ts";
import { EngineUpgrades } from "../engines/engine-upgrades.ts";
import { addMoveRoute } from "../engines/move-route.ts";
import { RuntimeOrders } from "../engines/runtime-orders.ts";
import { createBoundedPublisher } from "../events/bounded-publisher.ts";
import { EventBus } from "../events/event-bus.ts";
import { addEventRoutes } from "../events/event-routes.ts";
import { GatewayKeeper } from "../gateway/gateway-keeper.ts";
import { DaemonUpgrade, type UpgradedDaemon } from "../handover/daemon-upgrade.ts";
import type { MainState } from "../handover/main-state.ts";
import { removePidFile, writePidFile } from "../handover/pid-file.ts";
import { tellSupervisor } from "../handover/supervisor.ts";
import { addUpgradeRoutes } from "../handover/upgrade-routes.ts";
import type { RootLog } from "../log/index.ts";
import { Observer } from "../observe/index.ts";
import { addPolicyRoutes, ownRequester, PolicyManager } from "../policies/index.ts";
import { RuntimePool } from "../runtimes/runtime-pool.ts";
import { addRuntimeRoutes, runtimesAnswer } from "../runtimes/runtime-report.ts";
import { version } from "../version.ts";
import type { Notice, PeerAddress } from "../worker/commands.ts";
import { AdminRegistry } from "./admin-registry.ts";
import type { DaemonReport } from "./admin-report.ts";
import { type AdminServer, startAdminServer } from "./admin-server.ts";
import { addStatusRoutes } from "./admin-status-routes.ts";
import { readProcessRoom, reportRoom } from "./app-room.ts";
import { AppServer } from "./app-server.ts";
import { PrefixLock } from "./prefix-lock.ts";
import { addModulesRoute, addModuleUpgradeRoute } from "./upgrade-routes.ts";

const acceptsPerTurn = 64;

export interface DaemonOptions {
  loaded: LoadedConfig;
  /** Reads the configuration again, in the way in which it was read first. */
  reload: () => LoadedConfig;
  log: RootLog;
  /** A part of the daemon has failed that it can't go on without. */
  onFailure: (reason: string) => void;
  /** The next daemon serves: this process must end, at once and without a word. */
  onLeft: () => void;
  /** A daemon to take over from: the descriptor of the channel to it. */
  takeover?: number | undefined;
}

export class Daemon {
  readonly config: Config;
  readonly startedAt: Date = new Date();
  state: "starting" | "running" | "draining" | "stopped" = "starting";
  /** What happens in the daemon, for whoever wants to know. */
  readonly events: EventBus = new EventBus();
  /** What can be asked for at the admin socket. */
  readonly admin: AdminRegistry = new AdminRegistry();
  private readonly log: RootLog;
  /** The threads that move messages. */
  readonly runtimes: RuntimePool;
  private readonly orders = new RuntimeOrders();
  private readonly engineUpgrades: EngineUpgrades;
  /** Moves apps between runtimes. */
  readonly moves: AppMoves;
  private lock: PrefixLock | undefined;
  private appServer: AppServer | undefined;
  private adminServer: AdminServer | undefined;
  private listener: Listener | undefined;
  private listenWatcher = -1;
  private readonly waiting = new Set<() => void>();
  private stopping: Promise<void> | undefined;
  private readonly upgrade = new DaemonUpgrade();
  private readonly takeover: number | undefined;
  private readonly onFailure: (reason: string) => void;
  private readonly onLeft: () => void;
  private readonly policies: PolicyManager;
  private readonly gateway: GatewayKeeper;
  /** What operators see of calls. */
  private readonly observer: Observer;

  constructor({ loaded, reload, log, onFailure, onLeft, takeover }: DaemonOptions) {
    const { config } = loaded;
    this.config = config;
    this.log = log;
    this.takeover = takeover;
    this.onFailure = onFailure;
    this.onLeft = onLeft;
    this.gateway = new GatewayKeeper({ config, log: log.area("daemon"), events: this.events });
    this.runtimes = new RuntimePool({
      config,
      log,
      events: this.events,
      onNotice: (_, notice) => this.onNotice(notice),
      onLost: (thread, code, message) => {
        this.policies.runtimeLost(thread.index);
        this.observer.lost(thread.index);
        this.upgrade.fail(message);
        return this.appServer?.lost(thread, code, message) ?? 0;
      },
      onChange: () => this.notify(),
      onFailure,
    });
    this.policies = new PolicyManager({
      loaded,
      reload,
      runtimes: () => this.runtimes.threads.filter(({ state }) => state !== "ended"),
      events: this.events,
      log: log.area("policy"),
      setLogLevel: (next) => this.setLogLevel(next),
    });
    this.runtimes.quarantine = (slot, reason) => this.policies.quarantine(slot, reason);
    addPolicyRoutes(this.admin, this.policies);
    addStatusRoutes(this.admin, { status: () => this.report() });
    addEventRoutes(this.admin, this.events);
    addRuntimeRoutes(this.admin, this.runtimes, config);
    this.observer = new Observer({
      runtimes: () =>
        this.runtimes.threads.filter(({ state }) => state === "running" || state === "starting"),
      report: () => runtimesAnswer(this.runtimes, config),
      log: log.area("runtime"),
      policies: () => this.policies.surroundings,
    });
    this.observer.addRoutes(this.admin);
    addUpgradeRoutes(this.admin, (request) =>
      this.policies.alone(() => this.upgrade.handOver(this.upgraded(), request)),
    );
    this.engineUpgrades = new EngineUpgrades({
      runtimes: () => this.runtimes.threads,
      orders: this.orders,
      compile: (path) => this.policies.compile(path),
      revision: () => this.policies.revision,
      alone: (change) => this.policies.alone(change),
      events: this.events,
      log: log.area("runtime"),
    });
    addModuleUpgradeRoute(this.admin, [this.engineUpgrades, this.policies]);
    addModulesRoute(this.admin, [this.policies, this.engineUpgrades]);
    this.moves = new AppMoves({
      runtimes: () => this.runtimes.threads,
      apps: () => this.appServer!,
      orders: this.orders,
      alone: (change) => this.policies.alone(change),
      events: this.events,
      log: log.area("runtime"),
    });
    addMoveRoute(this.admin, this.moves);
    this.runtimes.move = (app, runtime) => this.moves.move(app, runtime);
    this.runtimes.prepare = async (thread) => {
      await this.policies.beginOne(thread);
      await this.engineUpgrades.prepare(thread);
      await this.observer.prepare(thread);
    };
  }

  /** Where peers connect to, with the real port; undefined for a daemon without a port. */
  get address(): string | undefined {
    const { listen } = this.config.daemon;
    if (listen === null || this.listener === undefined) return undefined;
    return formatAddress({ host: listen.host, port: this.listener.port });
  }

  /**
   * Starts everything; throws a KoalaError when something can't be had or `stop` was called meanwhile,
   * after cleaning up. What others may hold comes first, so that a start in vain costs nothing.
   */
  async start(): Promise<void> {
    if (this.takeover !== undefined) {
      await this.takeOver(this.takeover);
      return;
    }
    try {
      const peers = await this.resolvePeers();
      this.checkStarting();
      this.claimPrefix();
      const { listen } = this.config.daemon;
      if (listen !== null) await this.listen(listen.host, listen.port);
      this.checkStarting();
      await this.policies.start();
      this.checkStarting();
      this.runtimes.start(peers);
      await this.until(() => this.runtimes.areReady || this.stopping !== undefined);
      this.checkStarting();
      await this.policies.begin();
      this.checkStarting();
      this.runtimes.open();
      this.takeLinks();
      this.appServer?.start();
      this.nowRuns();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  private nowRuns(): void {
    this.state = "running";
    this.policies.recordStart();
    writePidFile(this.config.daemon.prefix);
    tellSupervisor((reason) => this.log.area("daemon").warn("systemd was not told", { reason }));
    this.events.publish("daemon", "ready", { version, pid: process.pid });
    this.gateway.start();
  }

  /** Starts in the place of a daemon that serves. Throws, having touched nothing, when that one goes on. */
  private async takeOver(fd: number): Promise<void> {
    const { runtimes, policies, engineUpgrades } = this;
    try {
      await this.upgrade.takeOver(
        fd,
        runtimes,
        await this.resolvePeers(),
        async (modules) => {
          await policies.start(modules);
          engineUpgrades.adopt(modules, (module) => policies.compileCarried(module));
        },
        async () => {
          await this.until(() => runtimes.areReady || this.stopping !== undefined);
          this.checkStarting();
          await policies.begin();
          for (const thread of runtimes.threads) await engineUpgrades.prepare(thread);
        },
        (state) => {
          this.checkStarting();
          this.adoptSockets(state);
        },
        () => {
          runtimes.open();
          this.takeLinks();
          this.appServer?.start();
          this.adminServer?.resume();
          this.nowRuns();
        },
      );
    } catch (error) {
      this.state = "stopped";
      await runtimes.leave();
      await policies.close();
      throw error;
    }
  }

  private adoptSockets(state: MainState): void {
    if (state.prefix !== this.config.daemon.prefix) {
      const text = `the daemon to take over from lives in ${state.prefix}, this one is configured for ${this.config.daemon.prefix}; leave prefix in [daemon] as it is`;
      throw new KoalaError("ERR_HANDOVER_PREFIX", text);
    }
    this.claimPrefix(state);
    this.events.restore(state.events);
    this.policies.loadShared(state.policies);
    if (state.listener >= 0) this.listener = adoptTcpListener(state.listener);
  }

  private upgraded(): UpgradedDaemon {
    const { log, events, runtimes, appServer, adminServer, listener, config } = this;
    if (this.state !== "running" || appServer === undefined || adminServer === undefined) {
      throw new KoalaError("ERR_HANDOVER_BUSY", `the daemon is ${this.state}, expected running`);
    }
    return {
      ...{ log, events, runtimes, appServer, adminServer, listener },
      prefix: config.daemon.prefix,
      lock: this.lock?.fd ?? -1,
      policies: this.policies,
      modules: () => [...this.policies.saveModules(), ...this.engineUpgrades.saveModules()],
      pauseLinks: () => this.pauseLinks(),
      takeLinks: () => this.takeLinks(),
      leave: () => void this.leave(),
      fail: (reason) => this.onFailure(reason),
    };
  }

  /** The next daemon has everything; whoever asked for that gets the answer first. */
  private async leave(): Promise<void> {
    this.state = "stopped";
    this.gateway.leave();
    await Promise.all([this.adminServer?.leave(), this.runtimes.leave()]);
    await this.policies.close();
    this.onLeft();
  }

  /** Lets the calls in flight end, for as long as the configuration allows; then stops. */
  async drain(): Promise<void> {
    if (this.state === "running") {
      this.state = "draining";
      this.log.area("daemon").info("draining", { drainMs: this.config.daemon.drainMs });
      this.events.publish("daemon", "draining", { drainMs: this.config.daemon.drainMs });
      this.stopListening();
      // It has callers of its own, whose calls are in flight here.
      const gateway = this.gateway.stop(this.config.daemon.drainMs);
      this.runtimes.drain();
      await Promise.all([gateway, this.untilDrained()]);
    }
    await this.stop();
  }

  /** Stops now, also while it starts or drains. */
  async stop(): Promise<void> {
    this.stopping ??= this.stopEverything();
    await this.stopping;
  }

  /** Applies koala.toml as it is now; what is wrong with it is in the log. */
  async applyConfig(): Promise<void> {
    const log = this.log.area("config");
    try {
      const options = { reset: false, dryRun: false };
      const answer = await this.policies.apply(options, ownRequester("SIGHUP"));
      const { revision, changes, needsRestart, notes } = answer;
      log.info("applied", { revision, changes: changes.length });
      for (const note of notes) log.info("note", { note });
      if (needsRestart.length > 0)
        log.warn("waits for a restart", { keys: needsRestart.join(", ") });
    } catch (error) {
      log.error("not applied, nothing has changed", { reason: messageOf(error) });
    }
  }

  /** The daemon and all its runtimes; rejects when one does not answer. */
  async report(): Promise<DaemonReport> {
    const runtimes = await this.runtimes.statuses();
    const { prefix, name } = this.config.daemon;
    const gateway = this.gateway.status;
    return {
      ...(gateway === undefined ? {} : { gateway }),
      name,
      version,
      pid: process.pid,
      prefix,
      listen: this.address ?? null,
      startedAt: this.startedAt.toISOString(),
      uptimeMs: Date.now() - this.startedAt.getTime(),
      state: this.state === "running" ? "running" : "draining",
      node: process.version,
      memory: { rssBytes: process.memoryUsage.rss() },
      runtimes,
    };
  }

  private async stopEverything(): Promise<void> {
    this.upgrade.fail("the daemon stops");
    if (this.state !== "starting") this.events.publish("daemon", "stopped");
    this.state = "stopped";
    this.notify();
    this.stopListening();
    const admin = this.adminServer?.close();
    await this.gateway.stop(0);
    await this.runtimes.stop();
    await this.policies.close();
    await admin;
    this.appServer?.close();
    removePidFile(this.config.daemon.prefix);
    // The last: whoever waits for it finds the folder as it should be.
    this.lock?.release();
  }

  /** The variable wins over the file, as at the start. */
  private setLogLevel({ log: { level } }: Config): boolean {
    const spec = process.env["KOALA_LOG"] ?? level;
    const before = this.log.spec;
    this.log.setSpec(spec);
    if (this.log.spec === before) return false;
    for (const thread of this.runtimes.threads) thread.command({ op: "log", spec: this.log.spec });
    return true;
  }

  private async untilDrained(): Promise<void> {
    const { drainMs } = this.config.daemon;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.notify();
    }, drainMs);
    const { runtimes } = this;
    await this.until(() => runtimes.haveDrained || isLate || this.stopping !== undefined);
    clearTimeout(timer);
    if (!runtimes.haveDrained) {
      this.log.area("daemon").warn("calls were cut off", isLate ? { afterMs: drainMs } : {});
    }
  }

  private checkStarting(): void {
    if (this.stopping === undefined) return;
    throw new KoalaError("ERR_DAEMON_STOPPED", "the daemon was stopped while it started");
  }

  /** The sockets in the daemon's directory; throws when another daemon lives there. */
  private claimPrefix(saved?: MainState): void {
    const { daemon, limits } = this.config;
    const room = readProcessRoom();
    reportRoom(this.log.area("daemon"), room, limits.apps);
    const inherited = saved?.lock ?? -1;
    this.lock =
      inherited < 0 ? PrefixLock.take(daemon.prefix) : PrefixLock.adopt(daemon.prefix, inherited);
    this.appServer = new AppServer({
      path: join(daemon.prefix, CONTROL_SOCKET),
      appsMax: limits.apps,
      openFilesMax: room.openFilesMax,
      runtimes: this.runtimes,
      saved: saved?.apps,
      log: this.log.area("control"),
      emitEvent: createBoundedPublisher(this.events),
    });
    this.adminServer = startAdminServer({
      path: join(daemon.prefix, ADMIN_SOCKET),
      registry: this.admin,
      inherited: saved?.admin,
      log: this.log.area("admin"),
    });
  }

  private onNotice(notice: Notice): void {
    if (notice.op === "handover") this.upgrade.take(notice);
    else if (
      notice.op === "policies" ||
      notice.op === "policy-message" ||
      notice.op === "policy-ended" ||
      notice.op === "policy-failed"
    ) {
      this.policies.onNotice(notice);
    } else if (notice.op === "closed") this.appServer?.closed(notice.app);
    else if (notice.op === "engines") this.orders.take(notice);
    else if (notice.op === "observe" || notice.op === "tapped") this.observer.take(notice);
    else if (notice.op === "event") {
      this.events.publish(notice.topic, notice.name, notice.fields, notice.timeMs);
    }
  }

  /** Something has changed that `until` may wait for. */
  private notify(): void {
    for (const wake of [...this.waiting]) wake();
  }

  private async until(done: () => boolean): Promise<void> {
    while (!done()) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.waiting.delete(wake);
          resolve();
        };
        this.waiting.add(wake);
      });
    }
  }

  private async listen(host: string, port: number): Promise<void> {
    const numeric = await resolveHost(host, `listen = "${host}:${port}"`);
    this.listener = createTcpTransport().listen(numeric, port);
  }

  /** The runtimes are there: peers that have connected are served from now on. */
  private takeLinks(): void {
    const { listener } = this;
    if (listener === undefined) return;
    this.listenWatcher = watch(listener.fd, POLL_IN, () => this.accept(listener));
  }

  private accept(listener: Listener): void {
    for (let i = 0; i < acceptsPerTurn; i++) {
      const fd = listener.accept();
      if (fd < 0) {
        if (fd !== -EAGAIN) this.log.area("link").error("accept failed", { reason: errnoName(fd) });
        return;
      }
      this.runtimes.nextForLink().command({ op: "link", fd });
    }
  }

  private pauseLinks(): void {
    if (this.listenWatcher >= 0) unwatch(this.listenWatcher);
    this.listenWatcher = -1;
  }

  private stopListening(): void {
    this.pauseLinks();
    // The address is still worth a line in the answers of the admin socket; closing twice is fine.
    this.listener?.close();
  }

  private async resolvePeers(): Promise<PeerAddress[]> {
    return await Promise.all(
      this.config.peers.map(async ({ address, name }) => {
        const text = formatAddress(address);
        const host = await resolveHost(address.host, `[[peer]] address = "${text}"`);
        return { label: name === null ? text : `${name} (${text})`, host, port: address.port };
      }),
    );
  }
}

async function resolveHost(host: string, where: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (cause) {
    throw new KoalaError(
      "ERR_DAEMON_ADDRESS",
      `${where}: the host "${host}" has no address (${messageOf(cause)}); check the name, or give a numeric address`,
      { cause },
    );
  }
}
