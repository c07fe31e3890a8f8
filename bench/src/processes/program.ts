/** A program of the benchmark as the main program sees it. */
import { KoalaError } from "@koala/interface";
import { type Child, spawnNode, spawnProgram } from "@koala/testing";
import {
  endLine,
  type FiguresReply,
  type RoundReply,
  type RunCommand,
} from "../load/load-command.ts";
import type { Watched } from "../load/timeline.ts";

/** What a program prints first. */
export interface Ready {
  readonly port?: number;
}

/** How a program is started. */
export interface ProgramOptions {
  /** What messages call it: `grpc-js client`. */
  readonly name: string;
  readonly path: string;
  /** The path is a command, and not of a program that Node runs. */
  readonly isCommand?: boolean;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly fds?: readonly number[];
  /** Where its profiles go; undefined for none. */
  readonly profileFolder?: string | undefined;
}

const readyDeadlineMs = 20_000;
/** What a round may take beside its time, on a busy machine. */
const answerDeadlineMs = 20_000;
const endDeadlineMs = 5000;
const tailLines = 30;

export class Program {
  readonly name: string;
  readonly pid: number;
  private readonly child: Child;

  constructor(options: ProgramOptions) {
    const { name, path, isCommand = false, args = [], env = {}, fds = [], profileFolder } = options;
    this.name = name;
    if (isCommand) {
      this.child = spawnProgram(path, args, { env, fds });
      this.pid = this.child.pid;
      return;
    }
    // spawnNode hands on what it gets: options of Node may come before the path.
    const profile =
      profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
    const [first = path, ...rest] = [...profile, path, ...args];
    this.child = spawnNode(first, rest, { env, fds });
    this.pid = this.child.pid;
  }

  /** Waits for the line by which a program of the benchmark says that it is ready. */
  async ready(): Promise<Ready> {
    const [line] = await this.line(/^\{"ready":true.*\}$/, readyDeadlineMs);
    return JSON.parse(line) as Ready;
  }

  /** The next line that matches. */
  async line(
    pattern: RegExp,
    deadlineMs: number = readyDeadlineMs,
  ): Promise<RegExpExecArray & { 0: string }> {
    try {
      return await this.child.line(pattern, deadlineMs);
    } catch (cause) {
      throw new KoalaError("ERR_BENCH_PROGRAM", `${this.name} did not answer as expected`, {
        cause,
      });
    }
  }

  async run(command: RunCommand): Promise<RoundReply> {
    return (await this.ask(command, command.seconds * 1000)) as RoundReply;
  }

  /**
   * For a client that calls all the time: resolves when it watches, to what waits for what it has seen when
   * the seconds are over.
   */
  async watch(seconds: number, stepMs: number): Promise<() => Promise<Watched>> {
    await this.ask({ op: "watch", seconds, stepMs }, 0);
    return async () => {
      const [line] = await this.line(/^\{.*\}$/, seconds * 1000 + answerDeadlineMs);
      return JSON.parse(line) as Watched;
    };
  }

  async figures(series: string): Promise<FiguresReply> {
    return (await this.ask({ op: "figures", series }, 0)) as FiguresReply;
  }

  /** The latencies so that they can be added to those of others; they are forgotten then. */
  async takeHistogram(): Promise<FiguresReply> {
    const command = { op: "figures", histogram: true, forget: true };
    return (await this.ask(command, 0)) as FiguresReply;
  }

  /** Whether it has not ended yet. */
  isRunning(): boolean {
    try {
      process.kill(this.pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  /** Tells a program of the benchmark to end, and sees to it that it does. */
  async end(): Promise<void> {
    this.child.write(endLine);
    try {
      await this.child.exit(endDeadlineMs);
    } catch {
      // It did not listen; it is ended less politely.
      await this.stop();
    }
  }

  /** SIGTERM, and SIGKILL when that does not help. */
  async stop(): Promise<void> {
    await this.child.stop(endDeadlineMs);
  }

  /** The last lines that it has printed. */
  tail(): string {
    return this.child.output().trimEnd().split("\n").slice(-tailLines).join("\n");
  }

  /** Gives a command that may take so long, and waits for the answer. */
  async ask(command: object, tookMs: number): Promise<unknown> {
    this.child.write(JSON.stringify(command));
    const [line] = await this.line(/^\{.*\}$/, tookMs + answerDeadlineMs);
    return JSON.parse(line);
  }
}
