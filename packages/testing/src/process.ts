/** Child processes of tests: wait for what they print and for their end, never for a time. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { deadlineMsDefault, until } from "./until.ts";

/** How a child is started. */
export interface ChildOptions {
  /** Added to this process's environment. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  /** Descriptors that the child gets as 3, 4, …; they stay open here. */
  fds?: readonly number[];
}

/** How a child ended: one of the two is null. */
export interface ChildExit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A running child. Every failure message carries all that it has printed. */
export interface Child {
  readonly pid: number;
  /** What it has printed so far, both streams as their lines came; the order between them is not certain. */
  output(): string;
  /** Writes a line to its standard input. */
  write(line: string): void;
  /**
   * The next line that matches, beginning after the line that the last call found. Rejects when the
   * child ends before, or at the deadline.
   */
  line(pattern: RegExp, deadlineMs?: number): Promise<RegExpExecArray>;
  /** How it ended. Rejects at the deadline. */
  exit(deadlineMs?: number): Promise<ChildExit>;
  /** Sends a signal, SIGKILL unless said otherwise; nothing happens when it has ended. */
  kill(signal?: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL if it has not ended at the deadline. Fine to call when it has ended. */
  stop(deadlineMs?: number): Promise<ChildExit>;
}

// Children must not survive a test run that ends by an exception.
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a Node program: a path or a file URL. Register `child.stop` with the test's `after`. */
export function spawnNode(
  program: string | URL,
  args: readonly string[] = [],
  options: ChildOptions = {},
): Child {
  const path = program instanceof URL ? fileURLToPath(program) : program;
  return spawnProgram(process.execPath, ["--enable-source-maps", path, ...args], options);
}

/** Starts any program. Register `child.stop` with the test's `after`. */
export function spawnProgram(
  program: string,
  args: readonly string[] = [],
  options: ChildOptions = {},
): Child {
  const child = spawn(program, args, {
    stdio: ["pipe", "pipe", "pipe", ...(options.fds ?? [])],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  return watchChild(child, `${program} ${args.join(" ")}`);
}

/**
 * Stops a process where it is, with all its threads, until it gets SIGCONT. A signal alone is not enough:
 * it only reaches one thread at once, and the others may go on for a while on another core.
 */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await until(`all threads of process ${pid} stand still`, () => {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.every((thread) => stateOf(`/proc/${pid}/task/${thread}/stat`) === "T");
  });
}

/**
 * The state's letter stands behind the name, which may contain anything but is in parentheses; undefined
 * for a thread that has just ended.
 */
function stateOf(statPath: string): string | undefined {
  try {
    const stat = readFileSync(statPath, "latin1");
    return stat[stat.lastIndexOf(")") + 2];
  } catch {
    return undefined;
  }
}

function watchChild(child: ChildProcess, title: string): Child {
  running.add(child);
  let output = "";
  let searched = 0;
  let ended: ChildExit | undefined;
  let failure = "";
  const listeners = new Set<() => void>();
  const notify = () => {
    for (const listener of [...listeners]) listener();
  };
  // Only whole lines count, so that the two streams do not tear each other's lines.
  const collect = (stream: Readable) => {
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      const end = chunk.lastIndexOf("\n") + 1;
      if (end > 0) output += rest + chunk.slice(0, end);
      rest = end > 0 ? chunk.slice(end) : rest + chunk;
      notify();
    });
    stream.on("end", () => {
      if (rest !== "") output += `${rest}\n`;
    });
  };
  collect(child.stdout!);
  collect(child.stderr!);
  // A child that is gone can't be written to; its end is reported by itself.
  child.stdin!.on("error", () => {});
  child.on("error", (error) => {
    failure = String(error);
    notify();
  });
  // "close" and not "exit": only then has all output arrived.
  child.on("close", (code, signal) => {
    running.delete(child);
    ended = { code, signal };
    notify();
  });

  const describe = (what: string) => {
    const state = ended === undefined ? "running" : `ended with ${ended.code ?? ended.signal}`;
    return new Error(`${what}: ${title} (${state}${failure}) has printed:\n${output}`);
  };
  /** Asks `attempt` after each event until it gives a value; it throws to give up. */
  const poll = <T>(what: string, deadlineMs: number, attempt: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer);
        listeners.delete(check);
      };
      const check = () => {
        try {
          const value = attempt();
          if (value === undefined) return;
          finish();
          resolve(value);
        } catch (error) {
          finish();
          reject(error);
        }
      };
      const timer = setTimeout(() => {
        finish();
        reject(describe(`not within ${deadlineMs} ms: ${what}`));
      }, deadlineMs);
      listeners.add(check);
      check();
    });

  const exit = (deadlineMs: number = deadlineMsDefault) =>
    poll("its end", deadlineMs, () => {
      if (failure !== "" && child.pid === undefined) throw describe("it did not start");
      return ended;
    });
  return {
    pid: child.pid ?? -1,
    output: () => output,
    write: (line) => void child.stdin!.write(`${line}\n`),
    line: (pattern, deadlineMs = deadlineMsDefault) =>
      poll(`a line that matches ${pattern}`, deadlineMs, () => {
        for (;;) {
          const end = output.indexOf("\n", searched);
          if (end === -1) break;
          const found = pattern.exec(output.slice(searched, end));
          searched = end + 1;
          if (found !== null) return found;
        }
        if (ended !== undefined || failure !== "") throw describe(`no line matches ${pattern}`);
        return undefined;
      }),
    exit,
    kill: (signal = "SIGKILL") => void child.kill(signal),
    stop: async (deadlineMs = deadlineMsDefault) => {
      if (ended === undefined) child.kill("SIGTERM");
      try {
        return await exit(deadlineMs);
      } catch {
        child.kill("SIGKILL");
        return await exit();
      }
    },
  };
}
