/**
 * One set-up at a time in one checkout. The lock is a file that holds the owner's process id and the
 * moment that process started (ids are used again). It appears by link(2), so it is never seen
 * half written. A lock whose owner is gone is taken aside by rename(2), which only one of several
 * waiting processes can win; the winner looks again at what it took, and puts a live lock back.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { ToolError } from "./tool-error.mjs";

const waitMsMax = 15 * 60_000;
const retryMs = 100;

/**
 * Runs `work` while holding the lock.
 *
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} work
 * @param {{ waitMs?: number, onWait?: (pid: number) => void }} [options] `onWait` is called once,
 *   when another process holds the lock
 * @returns {Promise<T>}
 */
export async function withLock(path, work, options = {}) {
  mkdirSync(dirname(path), { recursive: true });
  const own = `${process.pid} ${startOf(process.pid)}`;
  const deadline = Date.now() + (options.waitMs ?? waitMsMax);
  let told = false;
  while (!tryLock(path, own)) {
    const owner = readLock(path);
    if (owner === undefined || tryRecover(path, owner)) continue;
    const pid = Number(owner.split(" ")[0]);
    if (!told) options.onWait?.(pid);
    told = true;
    if (Date.now() > deadline) {
      throw new ToolError(
        `process ${pid} has held ${path} for too long. Let it finish, or end it and try again.`,
      );
    }
    await delay(retryMs);
  }
  // process.exit() and an uncaught error skip the finally below, but not this.
  const release = () => {
    if (readLock(path) === own) rmSync(path, { force: true });
  };
  process.once("exit", release);
  try {
    return await work();
  } finally {
    process.off("exit", release);
    release();
  }
}

/**
 * @param {string} path
 * @param {string} own
 */
function tryLock(path, own) {
  const draft = `${path}.${process.pid}.draft`;
  writeFileSync(draft, own);
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/**
 * True when the lock's owner was gone and the lock has been cleared.
 *
 * @param {string} path
 * @param {string} owner
 */
function tryRecover(path, owner) {
  if (isAlive(owner)) return false;
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return true;
    throw error;
  }
  const taken = readLock(aside);
  if (taken !== undefined && isAlive(taken)) {
    try {
      linkSync(aside, path);
    } catch (error) {
      if (!hasCode(error, "EEXIST")) throw error;
    }
  }
  rmSync(aside, { force: true });
  return true;
}

/** @param {string} owner */
function isAlive(owner) {
  const [pid = "", startedAt = ""] = owner.split(" ");
  return /^[1-9]\d*$/.test(pid) && startedAt !== "" && startOf(Number(pid)) === startedAt;
}

/**
 * When a process started, in clock ticks since boot (field 22 of its stat); "" when there is none.
 *
 * @param {number} pid
 */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in brackets may hold blanks and brackets: count fields after the last bracket.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie keeps its entry but will never release anything.
    return fields[0] === "Z" ? "" : (fields[19] ?? "");
  } catch {
    // No such process, or no /proc at all: then nobody can be shown to hold the lock.
    return "";
  }
}

/** @param {string} path */
function readLock(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

/**
 * @param {unknown} error
 * @param {string} code
 */
function hasCode(error, code) {
  return error instanceof Error && "code" in error && error.code === code;
}
