/** The daemon of `koalactl dev`: a process of its own that ends when koalactl does. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { askAdmin } from "../admin-client.ts";
import type { ProgramStart } from "../daemon-program.ts";

/** What the daemon says while it runs. */
export interface DevListener {
  /** Apps can attach. `listen` is its port for other daemons, if it has one. */
  onReady: (prefix: string, listen: string | undefined) => void;
  /** A line of its log, or what else it prints. */
  onLine: (line: string) => void;
}

/** How it ended: the exit code, or the signal that ended it. */
export type DevEnd = number | NodeJS.Signals;

/** A running daemon. */
export class DevDaemon {
  /** Settles when it has ended, and the one that has taken over from it as well. */
  readonly ended: Promise<DevEnd>;
  private readonly child: ChildProcess;
  private prefix: string | undefined;

  constructor(
    [command, ...first]: ProgramStart,
    args: readonly string[],
    env: NodeJS.ProcessEnv,
    listener: DevListener,
  ) {
    this.child = spawn(command, [...first, ...args], {
      // koalad ends when its parent closes the channel, also when the parent was killed.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // A group of its own: Ctrl-C is for koalactl, which tells the daemon once.
      detached: true,
      env: { ...env, KOALA_LOG_FORMAT: "json", KOALA_LOG_FILE: "" },
    });
    let listen: string | undefined;
    const { stdout, stderr } = this.child;
    readLines(stderr, listener.onLine);
    readLines(stdout, (line) => {
      const [, address] = /^koalad: listening on (\S+)$/.exec(line) ?? [];
      const [, prefix] = /^koalad: ready in (.+)$/.exec(line) ?? [];
      if (address !== undefined) listen = address;
      else if (prefix === undefined) listener.onLine(line);
      else {
        this.prefix = prefix;
        listener.onReady(prefix, listen);
      }
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once("error", reject);
      // "close" and not "exit": all output has come, and a daemon that took over has let go of it.
      this.child.once("close", (code, signal) => resolve(signal ?? code ?? 0));
    });
  }

  /** Tells it to end; a second time, not to wait for calls. */
  async stop(): Promise<void> {
    const pid = await this.currentPid();
    try {
      if (pid !== undefined) process.kill(pid, "SIGTERM");
    } catch {
      // It has ended by itself.
    }
  }

  /** Who serves the prefix now: after `koalactl upgrade --daemon` that is another process. */
  private async currentPid(): Promise<number | undefined> {
    const { pid, exitCode } = this.child;
    try {
      if (this.prefix !== undefined) return (await askAdmin(this.prefix, "/v1/status")).pid;
    } catch {
      // It starts or stops, or does not answer.
    }
    return exitCode === null ? pid : undefined;
  }
}

function readLines(stream: Readable | null, onLine: (line: string) => void): void {
  if (stream !== null) createInterface({ input: stream }).on("line", onLine);
}
