/**
 * Installing packages, only when needed. npm leaves a record of what it installed in
 * node_modules/.package-lock.json, written when it is done: that record is the stamp. So an
 * install by hand counts as well, and a half-finished one does not.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { capture } from "./child.mjs";
import { root } from "./root.mjs";
import { ToolError } from "./tool-error.mjs";
import { npmCommand } from "./toolchain.mjs";

const record = "node_modules/.package-lock.json";

/**
 * @typedef {{ version?: string, integrity?: string, link?: boolean, resolved?: string, optional?: boolean,
 *   devOptional?: boolean }} LockEntry
 */

/**
 * Why the packages of a folder have to be installed, or undefined when node_modules is as its
 * package-lock.json says.
 *
 * @param {string} [folder]
 * @returns {string | undefined}
 */
export function staleReason(folder = root) {
  const installed = lockEntries(join(folder, record));
  if (installed === undefined) return "nothing is installed";
  const wanted = lockEntries(join(folder, "package-lock.json"));
  if (wanted === undefined)
    throw new ToolError(`${folder}/package-lock.json is missing or not JSON`);
  for (const [path, entry] of Object.entries(wanted)) {
    if (!path.includes("node_modules/")) continue;
    const found = installed[path];
    // An optional package is for another machine, or its absence is allowed.
    if (found === undefined && (entry.optional === true || entry.devOptional === true)) continue;
    if (found === undefined) return `${path} is missing`;
    if (!isSamePackage(entry, found)) return `${path} is another version`;
  }
  const gone = Object.keys(installed).find((path) => !existsSync(join(folder, path)));
  return gone === undefined ? undefined : `${gone} is gone`;
}

/**
 * Makes node_modules as package-lock.json says. Resolves to what was done, undefined when fresh.
 *
 * Not by "npm ci": that refuses a lock file without the packages that only other platforms need, which is
 * what npm writes where a registry does not carry them. "npm install --no-save" takes the same
 * versions with the same checksums, leaves the lock file alone, and keeps what is there already.
 *
 * @param {string} [folder]
 * @returns {Promise<string | undefined>}
 */
export async function install(folder = root) {
  if (staleReason(folder) === undefined) return undefined;
  const [command = "npm", ...first] = npmCommand();
  // No package runs code when it is installed: stated here too, for folders without an .npmrc.
  const options = ["--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  const { code, output } = await capture(command, [...first, "install", ...options], {
    cwd: folder,
  });
  if (code !== 0) {
    throw new ToolError(
      `"npm install" in ${folder} ended with code ${code}:\n${errorLines(output)}\n` +
        "If the registry could not be reached, try again.",
    );
  }
  const reason = staleReason(folder);
  if (reason !== undefined) {
    throw new ToolError(
      `after "npm install" in ${folder}, ${reason}. package.json and package-lock.json disagree: ` +
        'run "npm install" by hand and commit the lock file.',
    );
  }
  return `${Object.keys(lockEntries(join(folder, record)) ?? {}).length} packages`;
}

/**
 * @param {LockEntry} wanted
 * @param {LockEntry} found
 */
function isSamePackage(wanted, found) {
  if (wanted.link === true) return found.link === true && found.resolved === wanted.resolved;
  return found.version === wanted.version && found.integrity === wanted.integrity;
}

/**
 * @param {string} path
 * @returns {Record<string, LockEntry> | undefined}
 */
function lockEntries(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    // Not there, or cut short by whatever stopped npm: to install again cures both.
    return undefined;
  }
}

/**
 * The lines of npm's output that say what went wrong, without its warnings and its usage.
 *
 * @param {string} output
 */
function errorLines(output) {
  const errors = output.split("\n").filter((line) => line.startsWith("npm error"));
  return (errors.length === 0 ? output.split("\n") : errors).slice(0, 25).join("\n");
}
