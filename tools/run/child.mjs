/**
 * Child processes. A child never outlives its verb: signals that end the verb are passed on, and the
 * verb waits until the child is gone.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import process from "node:process";
import { root } from "./root.mjs";

/**
 * @typedef {object} ChildOptions
 * @property {string} [cwd] the repository when not given
 * @property {NodeJS.ProcessEnv} [env] added to the environment
 */

/**
 * Runs a program that shares this terminal. Resolves to its exit code, 128 + signal when killed.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {ChildOptions} [options]
 * @returns {Promise<number>}
 */
export function run(command, args, options = {}) {
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
    stdio: "inherit",
  });
  return exitOf(child);
}

/**
 * Runs a program and collects what it writes, both streams in one text.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {ChildOptions} [options]
 * @returns {Promise<{ code: number, output: string }>}
 */
export async function capture(command, args, options = {}) {
  const child = spawn(command, args, {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  /** @type {Buffer[]} */
  const chunks = [];
  child.stdout.on("data", (chunk) => chunks.push(chunk));
  child.stderr.on("data", (chunk) => chunks.push(chunk));
  const code = await exitOf(child);
  return { code, output: Buffer.concat(chunks).toString("utf8").trimEnd() };
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @returns {Promise<number>}
 */
function exitOf(child) {
  // A terminal sends SIGINT to the whole group: the child has it already, and two of them mean
  // "at once" to many programs. Without a terminal nobody else passes it on.
  const onInterrupt = () => {
    if (!process.stdin.isTTY) child.kill("SIGINT");
  };
  const onTerminate = () => child.kill("SIGTERM");
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  process.on("SIGHUP", onTerminate);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  }).finally(() => {
    process.off("SIGINT", onInterrupt);
    process.off("SIGTERM", onTerminate);
    process.off("SIGHUP", onTerminate);
  });
}
