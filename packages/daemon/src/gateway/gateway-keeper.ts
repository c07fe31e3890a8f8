/**
 * Keeps the gateway running: starts it where the configuration wants one, starts it again with a growing pause when
 * it ends by itself, and stops it with the daemon. A gateway is an app, so it stays when the daemon is replaced, or
 * killed and started again: the next daemon finds it by the file in which it says what it does.
 */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { messageOf } from "@koala/interface";
import type { GatewayState, GatewayStatus } from "@koala/protocol";
import type { Config } from "../config/index.ts";
import type { EventBus } from "../events/event-bus.ts";
import type { AreaLog } from "../log/index.ts";
import {
  gatewaySettings,
  isThere,
  readGatewayState,
  settingsHash,
  writeSettings,
} from "./gateway-files.ts";

const lookMs = 250;
const pauseMinMs = 500;
const pauseMaxMs = 30_000;
/** One that ran so long has earned a short pause again. */
const steadyMs = 60_000;
const killAfterMs = 2000;

export interface GatewayKeeperOptions {
  config: Config;
  log: AreaLog;
  events: EventBus;
}

export class GatewayKeeper {
  private readonly options: GatewayKeeperOptions;
  private readonly settings: string | undefined;
  private state: GatewayStatus["state"] = "starting";
  private running: GatewayState | undefined;
  /** The process, also before it says anything. */
  private pid = 0;
  private restarts = 0;
  private lastFailure = "";
  private pauseMs = pauseMinMs;
  private startedMs = 0;
  private isKept = false;
  private timer: NodeJS.Timeout | null = null;

  constructor(options: GatewayKeeperOptions) {
    this.options = options;
    this.settings = gatewaySettings(options.config);
  }

  /** Undefined when no gateway is wanted. */
  get status(): GatewayStatus | undefined {
    if (this.settings === undefined) return undefined;
    const { state, pid, restarts, lastFailure, running } = this;
    const startedAt = running?.startedAt ?? "";
    const { ingresses = [], egresses = [] } = running ?? {};
    return { state, pid, startedAt, restarts, lastFailure, ingresses, egresses };
  }

  /** Starts what is wanted, or goes on with what is there. */
  start(): void {
    const { prefix } = this.options.config.daemon;
    this.isKept = true;
    const found = readGatewayState(prefix);
    if (found === undefined) {
      this.launch();
      return;
    }
    if (this.settings !== undefined && found.settings === settingsHash(this.settings)) {
      this.adopt(found);
      return;
    }
    // Another version, or another configuration: that one ends its calls, then there is room for the next one.
    this.signal(found.pid, "SIGTERM");
    this.options.log.info("another gateway has to go", { pid: found.pid });
    const startedMs = performance.now();
    const { drainMs } = this.options.config.daemon;
    const wait = (): void => {
      if (!isThere(found)) {
        this.launch();
        return;
      }
      if (performance.now() - startedMs > drainMs + killAfterMs) this.signal(found.pid, "SIGKILL");
      this.later(lookMs, wait);
    };
    wait();
  }

  /** The next daemon keeps it. */
  leave(): void {
    this.isKept = false;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** Ends it; calls have `graceMs`. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.leave();
    const { pid } = this;
    if (pid === 0) return;
    this.signal(pid, "SIGTERM");
    const deadline = performance.now() + graceMs + killAfterMs;
    while (this.isAlive() && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    if (this.isAlive()) this.signal(pid, "SIGKILL");
    this.pid = 0;
  }

  private launch(): void {
    const { settings } = this;
    const { config, log } = this.options;
    if (settings === undefined || !this.isKept) return;
    this.state = "starting";
    this.running = undefined;
    this.startedMs = performance.now();
    try {
      const path = writeSettings(config.daemon.prefix, settings);
      const program = fileURLToPath(import.meta.resolve("@koala/gateway/main"));
      const args = [program, "--settings", path, "--hash", settingsHash(settings)];
      // In a group of its own: Ctrl-C at the daemon is the daemon's to pass on.
      const child = spawn(process.execPath, args, {
        detached: true,
        stdio: ["ignore", "ignore", "inherit"],
      });
      child.once("error", (error) => this.ended(messageOf(error)));
      child.once("exit", (code, signal) => {
        if (this.pid === child.pid) this.ended(signal ?? `exit code ${code}`);
      });
      child.unref();
      this.pid = child.pid ?? 0;
      log.info("gateway started", { pid: this.pid });
      this.look();
    } catch (error) {
      this.ended(messageOf(error));
    }
  }

  private adopt(found: GatewayState): void {
    this.pid = found.pid;
    this.startedMs = performance.now();
    this.options.log.info("gateway found", { pid: found.pid });
    this.runs(found);
  }

  /** Looks whether it is there, and whether it is ready. */
  private look(): void {
    if (!this.isKept || this.pid === 0) return;
    if (this.running === undefined) {
      const found = readGatewayState(this.options.config.daemon.prefix);
      if (found?.pid === this.pid) {
        this.runs(found);
        return;
      }
    } else if (!isThere(this.running)) {
      this.ended("it is gone");
      return;
    }
    this.later(this.running === undefined ? lookMs : 4 * lookMs, () => this.look());
  }

  private runs(state: GatewayState): void {
    this.running = state;
    this.state = "running";
    const addresses = state.ingresses.map(({ address }) => address).join(", ");
    this.options.log.info("gateway ready", { pid: state.pid, ingresses: addresses });
    this.options.events.publish("daemon", "gateway-ready", { pid: state.pid });
    this.later(4 * lookMs, () => this.look());
  }

  private ended(reason: string): void {
    if (!this.isKept || this.state === "failed") return;
    const { pid } = this;
    this.pid = 0;
    this.running = undefined;
    this.state = "failed";
    this.restarts++;
    this.lastFailure = reason;
    if (performance.now() - this.startedMs > steadyMs) this.pauseMs = pauseMinMs;
    const againMs = this.pauseMs;
    this.pauseMs = Math.min(2 * this.pauseMs, pauseMaxMs);
    this.options.log.error("the gateway has ended", { pid, reason, againMs });
    this.options.events.publish("daemon", "gateway-failed", { pid, reason, againMs });
    this.later(againMs, () => this.launch());
  }

  private isAlive(): boolean {
    if (this.pid === 0) return false;
    if (this.running !== undefined) return isThere(this.running);
    try {
      return process.kill(this.pid, 0);
    } catch {
      return false;
    }
  }

  private signal(pid: number, signal: NodeJS.Signals): void {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended.
    }
  }

  private later(ms: number, action: () => void): void {
    if (!this.isKept) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(action, ms);
    this.timer.unref();
  }
}
