/**
 * The daemon as a whole: starts the runtimes, the app server, the listening port and the admin socket,
 * and stops them in order.
 */
import { randomUUID } from "node:crypto";
import { lookup } from "node:dns/promises";
import { join } from "node:path";
import { KoalaError, type Listener, messageOf } from "@koala/interface";
import { EAGAIN, errnoName, POLL_IN, unwatch, watch } from "@koala/native";
import { CONTROL_SOCKET } from "@koala/protocol";
import { createTcpTransport } from "@koala/transport-tcp";
import { type Config, formatAddress } from "../config/index.ts";
import type { RootLog } from "../log/index.ts";
import type { Notice, PeerAddress } from "../worker/commands.ts";
import type { RuntimeStatus } from "../worker/status.ts";
import { AppServer } from "./app-server.ts";
import { RuntimeThread } from "./runtime-thread.ts";

const acceptsPerTurn = 64;

export interface DaemonOptions {
  config: Config;
  log: RootLog;
  /** A part of the daemon has failed that it can't go on without. */
  onFailure: (reason: string) => void;
}

export class Daemon {
  readonly config: Config;
  readonly startedAt: Date = new Date();
  state: "starting" | "running" | "draining" | "stopped" = "starting";
  private readonly log: RootLog;
  private readonly onFailure: (reason: string) => void;
  private readonly runtimes: RuntimeThread[] = [];
  private appServer: AppServer | undefined;
  private listener: Listener | undefined;
  private listenWatcher = -1;
  private nextRuntime = 0;
  private ready = 0;
  private drained = 0;
  private progress: () => void = () => {};

  constructor({ config, log, onFailure }: DaemonOptions) {
    this.config = config;
    this.log = log;
    this.onFailure = onFailure;
  }

  /** Where peers connect to, with the real port; undefined for a daemon without a port. */
  get address(): string | undefined {
    const { listen } = this.config.daemon;
    if (listen === null || this.listener === undefined) return undefined;
    return formatAddress({ host: listen.host, port: this.listener.port });
  }

  /** Starts everything; throws a KoalaError when something can't be had, after cleaning up. */
  async start(): Promise<void> {
    try {
      const peers = await this.resolvePeers();
      const { daemon, limits } = this.config;
      this.startRuntimes(peers);
      await this.until(() => this.ready === this.runtimes.length);
      if (daemon.listen !== null) await this.listen(daemon.listen.host, daemon.listen.port);
      this.appServer = new AppServer({
        path: join(daemon.prefix, CONTROL_SOCKET),
        appsMax: limits.apps,
        runtimes: this.runtimes,
        log: this.log.area("control"),
      });
      this.state = "running";
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Lets the calls in flight end, for as long as the configuration allows; then stops. */
  async drain(): Promise<void> {
    if (this.state !== "running") return;
    this.state = "draining";
    this.stopListening();
    for (const runtime of this.runtimes) runtime.command({ op: "drain" });
    const timer = setTimeout(() => this.progress(), this.config.daemon.drainMs);
    const deadline = Date.now() + this.config.daemon.drainMs;
    await this.until(() => this.drained >= this.runtimes.length || Date.now() >= deadline);
    clearTimeout(timer);
    if (this.drained < this.runtimes.length) {
      this.log.area("daemon").warn("calls were cut off", { afterMs: this.config.daemon.drainMs });
    }
    await this.stop();
  }

  /** Stops now. */
  async stop(): Promise<void> {
    if (this.state === "stopped") return;
    this.state = "stopped";
    this.stopListening();
    await Promise.all(this.runtimes.map((runtime) => runtime.stop()));
    this.appServer?.close();
  }

  /** What each runtime says about itself. */
  async runtimeStatus(): Promise<RuntimeStatus[]> {
    return await Promise.all(this.runtimes.map((runtime) => runtime.status()));
  }

  private startRuntimes(peers: readonly PeerAddress[]): void {
    const instance = randomUUID();
    const { config, log } = this;
    for (let index = 0; index < config.daemon.runtimes; index++) {
      this.runtimes.push(
        new RuntimeThread({
          data: { index, config, instance, logSpec: log.spec, peers },
          log,
          onNotice: (notice) => this.onNotice(notice),
          onCrash: (error) => {
            if (this.state === "stopped") return;
            this.onFailure(
              `runtime ${index} failed: ${error === undefined ? "it ended" : messageOf(error)}`,
            );
          },
        }),
      );
    }
  }

  private onNotice(notice: Notice): void {
    if (notice.op === "ready") this.ready++;
    else if (notice.op === "drained") this.drained++;
    else if (notice.op === "closed") this.appServer?.closed(notice.app);
    this.progress();
  }

  private async until(done: () => boolean): Promise<void> {
    while (!done()) {
      await new Promise<void>((resolve) => {
        this.progress = resolve;
      });
    }
    this.progress = () => {};
  }

  private async listen(host: string, port: number): Promise<void> {
    const numeric = await resolveHost(host, `listen = "${host}:${port}"`);
    const listener = createTcpTransport().listen(numeric, port);
    this.listener = listener;
    this.listenWatcher = watch(listener.fd, POLL_IN, () => this.accept(listener));
  }

  private accept(listener: Listener): void {
    for (let i = 0; i < acceptsPerTurn; i++) {
      const fd = listener.accept();
      if (fd < 0) {
        if (fd !== -EAGAIN) this.log.area("link").error("accept failed", { reason: errnoName(fd) });
        return;
      }
      const runtime = this.runtimes[this.nextRuntime]!;
      this.nextRuntime = (this.nextRuntime + 1) % this.runtimes.length;
      runtime.command({ op: "link", fd });
    }
  }

  private stopListening(): void {
    if (this.listener === undefined || this.listenWatcher < 0) return;
    unwatch(this.listenWatcher);
    this.listenWatcher = -1;
    this.listener.close();
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
