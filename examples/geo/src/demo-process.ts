/**
 * Programs that the demo starts: waits for what they print, keeps the last lines for the case that something
 * goes wrong, and stops them with a deadline.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";

/** How many of the last lines of a program are kept. */
const tailLineCount = 30;
/** A program that has not ended so long after SIGTERM is killed. */
const stopDeadlineMs = 5000;

/** Whoever waits for a line, or for the end. At most one at a time. */
interface Waiter {
  /** Takes a line, and says whether it was the one. */
  readonly take: (line: string) => boolean;
  /** What to do when no line comes any more. */
  readonly end: (how: string) => void;
}

/** One program, started when this is made. */
export class DemoProcess {
  /** What the demo calls it. */
  readonly name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #closed: Promise<void>;
  readonly #tail: string[] = [];
  /** Lines of stdout that nobody has asked for. */
  readonly #unread: string[] = [];
  #waiter: Waiter | undefined;
  /** How it ended. */
  #end: string | undefined;

  /** Starts a compiled program of Node with `env` on top of this process's environment. */
  constructor(
    name: string,
    program: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.name = name;
    // In a process group of its own: Ctrl-C reaches the demo alone, which then stops everything in order.
    const child = spawn(process.execPath, ["--enable-source-maps", program, ...args], {
      env: { ...process.env, ...env },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    this.#child = child;
    // A program that ended does not read; what it was told then is lost, and its end is reported elsewhere.
    child.stdin.on("error", () => {});
    createInterface({ input: child.stderr }).on("line", (line) => this.#keep(line));
    createInterface({ input: child.stdout }).on("line", (line) => {
      this.#keep(line);
      this.#unread.push(line);
      this.#settle();
    });
    child.once("error", (error) => this.#ended(`could not be started (${error.message})`));
    this.#closed = new Promise((resolve) => {
      // "close" comes after the last line, "exit" may come before it.
      child.once("close", (code, signal) => {
        this.#ended(signal === null ? `ended with code ${code}` : `was ended by ${signal}`);
        resolve();
      });
    });
  }

  /**
   * The next line of stdout that matches; lines before it are passed over. Rejects when the program ends
   * before it or `deadlineMs` passes.
   */
  line(pattern: RegExp, deadlineMs: number): Promise<RegExpExecArray> {
    return this.#wait(`print ${pattern}`, deadlineMs, (resolve, reject) => ({
      take: (line) => {
        const match = pattern.exec(line);
        if (match !== null) resolve(match);
        return match !== null;
      },
      end: (how) => reject(new Error(`${this.name} ${how} before it printed ${pattern}`)),
    }));
  }

  /** Hands over every line until the program ends. Rejects unless it ends with code 0 in time. */
  finish(onLine: (line: string) => void, deadlineMs: number): Promise<void> {
    return this.#wait("end", deadlineMs, (resolve, reject) => ({
      take: (line) => {
        onLine(line);
        return false;
      },
      end: (how) => {
        if (how === "ended with code 0") resolve();
        else reject(new Error(`${this.name} ${how}`));
      },
    }));
  }

  /** Writes one line to its stdin. */
  tell(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Ends its stdin: some programs take that as the end. */
  endInput(): void {
    this.#child.stdin.end();
  }

  /** SIGTERM, then SIGKILL when that takes too long. Safe to call twice and after its end. */
  async stop(): Promise<void> {
    if (this.#end !== undefined) return;
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), stopDeadlineMs);
    await this.#closed;
    clearTimeout(timer);
  }

  /** Its last lines, stdout and stderr as they came. */
  tail(): readonly string[] {
    return this.#tail;
  }

  #keep(line: string): void {
    this.#tail.push(line);
    if (this.#tail.length > tailLineCount) this.#tail.shift();
  }

  #ended(how: string): void {
    this.#end ??= how;
    this.#settle();
  }

  #settle(): void {
    while (this.#waiter !== undefined && this.#unread.length > 0) {
      if (this.#waiter.take(this.#unread.shift()!)) this.#waiter = undefined;
    }
    if (this.#waiter === undefined || this.#end === undefined) return;
    this.#waiter.end(this.#end);
    this.#waiter = undefined;
  }

  async #wait<T>(
    what: string,
    deadlineMs: number,
    createWaiter: (resolve: (value: T) => void, reject: (error: Error) => void) => Waiter,
  ): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#waiter = createWaiter(resolve, reject);
        timer = setTimeout(() => {
          this.#waiter = undefined;
          reject(new Error(`${this.name} did not ${what} within ${deadlineMs} ms`));
        }, deadlineMs);
        this.#settle();
      });
    } finally {
      clearTimeout(timer);
    }
  }
}
