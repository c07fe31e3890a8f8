/**
 * Real daemons and real apps for a test, each a process of its own. Everything that is started here ends
 * with the test, last started first, whether the test passed or not; folders go last.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { DaemonStatus, DaemonUpgradeAnswer, DaemonUpgradeRequest } from "@koala/protocol";
import {
  type Child,
  type ChildExit,
  createTempDirectory,
  type Ending,
  spawnNode,
  until,
} from "@koala/testing";
import { askAdmin, postAdmin } from "./admin.ts";

export interface DaemonOptions {
  /** The daemon's folder; a new one that is removed after the test unless given. */
  prefix?: string;
  /** What peers and messages call it. Default: `a`, `b` in a cluster, else `host`. */
  name?: string;
  /** Further sections of `koala.toml`, none of them `[daemon]` or `[[peer]]`. */
  config?: string;
  /** Further keys of the section `[daemon]`. */
  daemonKeys?: string;
  /** Whom it connects to: daemons, or addresses where none need be. */
  peers?: readonly (Daemon | string)[];
  /** `host:port`, to come back at the same place; port 0 of the loopback unless given. */
  listen?: string;
  env?: Readonly<Record<string, string>>;
}

/** A running koalad. */
export interface Daemon {
  readonly name: string;
  readonly prefix: string;
  readonly port: number;
  /** Where peers reach it: `127.0.0.1:PORT`. */
  readonly address: string;
  readonly pid: number;
  /** The process that serves now, which is another one after an upgrade. */
  currentPid(): number;
  readonly child: Child;
  /** All that it has logged. */
  log(): string;
  /** What `GET /v1/status` of its admin socket says. */
  status(): Promise<DaemonStatus>;
  /** Asks for an upgrade of the daemon; rejects with what is said instead. */
  upgrade(request?: DaemonUpgradeRequest): Promise<DaemonUpgradeAnswer>;
  /** SIGTERM to the process that serves now, and the end of all there were. */
  stop(): Promise<ChildExit>;
  /** SIGKILL, and the end. */
  kill(): Promise<ChildExit>;
}

/** Daemon A, which connects to daemon B. */
export interface Cluster {
  readonly a: Daemon;
  readonly b: Daemon;
}

/** Starting takes a fraction of a second; a busy machine takes longer. */
const startDeadlineMs = 20_000;
/** A daemon that stops has up to `daemon.drain` to do so. */
const stopDeadlineMs = 15_000;

const endings = new WeakMap<Ending, (() => unknown)[]>();

/** Has something done after the test, before all that was asked for earlier; nothing is left out when one fails. */
export function atEnd(test: Ending, action: () => unknown): void {
  const known = endings.get(test);
  if (known !== undefined) {
    known.push(action);
    return;
  }
  const actions = [action];
  endings.set(test, actions);
  test.after(async () => {
    const errors: unknown[] = [];
    for (let next = actions.pop(); next !== undefined; next = actions.pop()) {
      try {
        await next();
      } catch (error) {
        errors.push(error);
      }
    }
    endings.delete(test);
    if (errors.length > 0) throw errors[0];
  });
}

/** A new folder, removed after everything that lives in it has ended. */
export function createFolder(test: Ending): string {
  return createTempDirectory({ after: (remove) => atEnd(test, remove) });
}

/** Starts a daemon and waits until apps can attach. */
export async function startDaemon(test: Ending, options: DaemonOptions = {}): Promise<Daemon> {
  const { name = "host", prefix = createFolder(test), listen = "127.0.0.1:0" } = options;
  mkdirSync(prefix, { recursive: true });
  const config = join(prefix, "koala.toml");
  writeFileSync(config, configText(name, options));
  const child = spawnNode(
    fileURLToPath(import.meta.resolve("@koala/daemon/main")),
    ["--prefix", prefix, "--listen", listen, "--config", config],
    { env: { KOALA_LOG: "info", KOALA_LOG_FILE: "", KOALA_LOG_FORMAT: "text", ...options.env } },
  );
  const currentPid = (): number => pidIn(prefix) ?? child.pid;
  const stop = (): Promise<ChildExit> => stopCurrent(child, currentPid());
  successors.add(currentPid);
  atEnd(test, async () => {
    await stop();
    successors.delete(currentPid);
  });
  const [, address] = await child.line(/^koalad: listening on (\S+:\d+)$/, startDeadlineMs);
  await child.line(/^koalad: ready/, startDeadlineMs);
  return {
    name,
    prefix,
    address: address!,
    port: Number(address!.slice(address!.lastIndexOf(":") + 1)),
    pid: child.pid,
    currentPid,
    child,
    log: () => child.output(),
    status: () => askAdmin(prefix, "/v1/status"),
    upgrade: (request = {}) => postAdmin(prefix, "/v1/upgrade/daemon", request),
    stop,
    kill: () => {
      killIfThere(currentPid(), "SIGKILL");
      return child.exit();
    },
  };
}

// A daemon that has taken over is no child of anybody, and must not survive a run that ends by an exception.
const successors = new Set<() => number>();
process.once("exit", () => {
  for (const pidOf of successors) killIfThere(pidOf(), "SIGKILL");
});

// A signal would end this process without the word of "exit".
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(1));
}

/** Who serves a folder, as it says itself. */
function pidIn(prefix: string): number | undefined {
  try {
    return Number(readFileSync(join(prefix, "koalad.pid"), "utf8"));
  } catch {
    return undefined;
  }
}

function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

/** The output of a daemon ends when the last process that had it from another one does. */
async function stopCurrent(child: Child, pid: number): Promise<ChildExit> {
  if (pid === child.pid) return await child.stop(stopDeadlineMs);
  killIfThere(pid, "SIGTERM");
  try {
    return await child.exit(stopDeadlineMs);
  } catch {
    killIfThere(pid, "SIGKILL");
    return await child.exit();
  }
}

/** Starts daemons A and B, and waits until A's link to B is up. `config` is for both. */
export async function startCluster(
  test: Ending,
  options: Pick<DaemonOptions, "config" | "daemonKeys" | "env"> = {},
): Promise<Cluster> {
  const b = await startDaemon(test, { ...options, name: "b" });
  const a = await startDaemon(test, { ...options, name: "a", peers: [b] });
  await a.child.line(/ link up /, startDeadlineMs);
  return { a, b };
}

/** Waits until a daemon knows who serves `service`: what is served at a peer is told it a moment later. */
export async function untilKnown(
  daemon: Pick<Daemon, "name" | "prefix">,
  service: string,
): Promise<void> {
  await until(`"${service}" to be known to ${daemon.name}`, async () => {
    const { services } = await askAdmin(daemon.prefix, "/v1/services");
    return services.some(({ name }) => name === service);
  });
}

/**
 * Starts a program of `programs/` at a daemon: `startApp(t, daemon, "kitchen-server", ["kitchen"])`. It
 * ends with the test.
 */
export function startApp(
  test: Ending,
  daemon: Pick<Daemon, "prefix">,
  program: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Child {
  const child = spawnNode(new URL(`../programs/${program}.js`, import.meta.url), args, {
    env: { KOALA_PREFIX: daemon.prefix, ...env },
  });
  atEnd(test, () => child.stop());
  return child;
}

function configText(
  name: string,
  { config = "", daemonKeys = "", peers = [] }: DaemonOptions,
): string {
  const tables = peers.map((peer) =>
    typeof peer === "string"
      ? `[[peer]]\naddress = "${peer}"\n`
      : `[[peer]]\nname = "${peer.name}"\naddress = "${peer.address}"\n`,
  );
  return `[daemon]\nname = "${name}"\n${daemonKeys}\n${tables.join("")}\n${config}\n`;
}
