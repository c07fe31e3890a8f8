/**
 * Finds processes that a run of .ci/run has left behind: they carry its mark in their environment,
 * whoever their parent is by now. They are ended, and the run fails with their command lines.
 */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { pathToFileURL } from "node:url";

const variable = "KOALA_CI_RUN";

/**
 * The processes whose environment at their start had `variable` at `mark`, without `spared`.
 *
 * @param {string} mark
 * @param {Set<number>} spared
 * @returns {{ pid: number, command: string }[]}
 */
export function findMarked(mark, spared) {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && !spared.has(Number(name)))
    .filter((pid) => readProc(pid, "environ").split("\0").includes(`${variable}=${mark}`))
    .map((pid) => ({
      pid: Number(pid),
      command: readProc(pid, "cmdline").replaceAll("\0", " ").trim(),
    }));
}

/**
 * This process and all above it.
 *
 * @returns {Set<number>}
 */
export function ancestors() {
  const found = new Set();
  for (let pid = process.pid; pid > 0 && !found.has(pid); ) {
    found.add(pid);
    pid = Number(/^PPid:\s*(\d+)/m.exec(readProc(String(pid), "status"))?.[1] ?? 0);
  }
  return found;
}

/**
 * @param {string} pid
 * @param {string} file
 */
function readProc(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    // It has ended meanwhile, or it is somebody else's: not ours either way.
    return "";
  }
}

/** @param {number} pid */
function endNow(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself since it was found, which is as good.
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const left = findMarked(process.env[variable] ?? "none", ancestors());
  for (const { pid, command } of left) {
    process.stderr.write(`left behind: process ${pid}: ${command}\n`);
    endNow(pid);
  }
  process.exitCode = left.length === 0 ? 0 : 1;
}
