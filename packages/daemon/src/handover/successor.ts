/** The process that takes over, as the one that leaves sees it. */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, realpathSync } from "node:fs";
import { extname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { KoalaError, messageOf } from "@koala/interface";
import { closeFd, SOCKET_SEQPACKET, unixPair } from "@koala/native";
import {
  expected,
  HandoverChannel,
  HandoverLost,
  type HandoverPacket,
} from "./handover-channel.ts";
import {
  descriptorsPerPacket,
  type FromNew,
  type FromOld,
  fromNewSchema,
  handoverVersion,
} from "./handover-message.ts";
import { daemonStateVersion } from "./runtime-state.ts";

const startDeadlineMs = 30_000;
const exitKnownMs = 500;
const scripts = [".js", ".mjs", ".cjs", ".ts", ".mts"];
/** The descriptor that the new process finds its end of the channel at. */
const CHANNEL_FD = 3;

/** How to start a program. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** For people. */
  readonly program: string;
}

/**
 * The program to start: the one that runs now unless another one is named, with the arguments of this
 * one. Throws when there is no such program.
 */
export function launchOf(program: string | undefined): Launch {
  const args = withoutTakeover(process.argv.slice(2));
  const path = program ?? process.argv[1]!;
  let found: string;
  try {
    found = realpathSync(path);
    accessSync(found, constants.R_OK);
    const isScript = scripts.includes(extname(found));
    if (!isScript) accessSync(found, constants.X_OK);
    return isScript
      ? { command: process.execPath, args: [...process.execArgv, found, ...args], program: found }
      : { command: found, args, program: found };
  } catch (cause) {
    throw new KoalaError(
      "ERR_HANDOVER_PROGRAM",
      `the program ${path} can't be started: ${messageOf(cause)}; expected a script of Node (${scripts.join(", ")}) or an executable`,
      { cause },
    );
  }
}

function withoutTakeover(args: readonly string[]): string[] {
  const at = args.indexOf("--takeover");
  return at < 0 ? [...args] : [...args.slice(0, at), ...args.slice(at + 2)];
}

export class Successor {
  readonly launch: Launch;
  /** What it says of itself; after `start`. */
  version = "";
  pid = 0;
  private readonly child: ChildProcess;
  private readonly exited: Promise<void>;
  private readonly channel: HandoverChannel<FromNew, FromOld>;

  /** Starts the process. */
  constructor(launch: Launch) {
    this.launch = launch;
    const [mine, its] = unixPair(SOCKET_SEQPACKET);
    try {
      this.child = spawn(launch.command, [...launch.args, "--takeover", String(CHANNEL_FD)], {
        stdio: ["ignore", "inherit", "inherit", its],
        // It outlives this process, and must not get the signals of this one's terminal.
        detached: true,
      });
    } catch (error) {
      closeFd(mine);
      throw new KoalaError("ERR_HANDOVER_PROGRAM", `${launch.program}: ${messageOf(error)}`);
    } finally {
      closeFd(its);
    }
    this.exited = new Promise((resolve) => {
      this.child.once("exit", () => resolve());
      this.child.once("error", () => resolve());
    });
    this.child.unref();
    this.channel = new HandoverChannel(mine, fromNewSchema);
  }

  /** Waits until it says who it is; throws when it does not, or is no match for this one. */
  async hello(): Promise<void> {
    const { message } = await this.hear("hello", startDeadlineMs);
    this.version = message.version;
    this.pid = message.pid;
    if (message.protocol !== handoverVersion || message.state !== daemonStateVersion) {
      throw new KoalaError(
        "ERR_HANDOVER_VERSION",
        `${this.launch.program} (${message.version}) takes over by protocol ${message.protocol} with state ${message.state}, ` +
          `expected ${handoverVersion} and ${daemonStateVersion}; stop this daemon and start the other one instead`,
      );
    }
  }

  async tell(message: FromOld, fds: readonly number[] = []): Promise<void> {
    try {
      await this.channel.send(message, fds);
    } catch (error) {
      throw await this.explain(error);
    }
  }

  /** Sends descriptors, as many at once as a packet carries. */
  async tellDescriptors(fds: readonly number[]): Promise<void> {
    for (let at = 0; at < fds.length; at += descriptorsPerPacket) {
      const some = fds.slice(at, at + descriptorsPerPacket);
      await this.tell({ op: "descriptors", count: some.length }, some);
    }
  }

  async hear<Op extends FromNew["op"]>(
    op: Op,
    deadlineMs: number,
  ): Promise<HandoverPacket<FromNew & { op: Op }>> {
    try {
      return expected(await this.channel.receive(deadlineMs), op);
    } catch (error) {
      throw await this.explain(error);
    }
  }

  /** It is not needed: tells it so, and makes sure that it ends. */
  async end(reason: string): Promise<void> {
    try {
      await this.channel.send({ op: "abort", reason });
    } catch {
      // It has ended already.
    }
    this.channel.close();
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGKILL");
  }

  /** Nothing more is to be said. */
  leave(): void {
    this.channel.close();
  }

  private async explain(error: unknown): Promise<unknown> {
    if (!(error instanceof HandoverLost)) return error;
    // Its end of the channel is closed a moment before it is known how it ended.
    if (error.hasEnded) await Promise.race([this.exited, pause(exitKnownMs)]);
    const { exitCode, signalCode } = this.child;
    const how = signalCode ?? exitCode;
    const text = how === null ? error.message : `it ended with ${how}`;
    return new KoalaError(
      "ERR_HANDOVER_LOST",
      `the new daemon (${this.launch.program}) can't take over: ${text}; look into the log for what it said`,
    );
  }
}
