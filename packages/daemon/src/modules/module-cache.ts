/**
 * The folder of compiled modules, `<prefix>/modules/<pid>`: what a thread loads is executed by the
 * daemon, so nobody else may write there.
 */
import { lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { KoalaError } from "@koala/interface";

/**
 * Makes the folder of this process and removes those that ended daemons have left.
 *
 * @throws KoalaError `ERR_MODULE_CACHE` when somebody else owns it or could write to it.
 */
export function openModuleCache(prefix: string): string {
  const home = join(prefix, "modules");
  mkdirSync(home, { recursive: true, mode: 0o700 });
  checkOwners(prefix, home);
  for (const name of readdirSync(home)) {
    if (/^\d+$/.test(name) && !isAlive(Number(name))) removeModuleCache(join(home, name));
  }
  const own = join(home, String(process.pid));
  removeModuleCache(own);
  mkdirSync(own, { mode: 0o700 });
  return own;
}

/** Removes the folder of this process, and the one around it if no other process has one there. */
export function closeModuleCache(folder: string): void {
  removeModuleCache(folder);
  try {
    rmdirSync(dirname(folder));
  } catch {
    // Another process, the next daemon perhaps, has its folder there.
  }
}

/** Removes a folder with all that is in it. */
export function removeModuleCache(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** Whoever may rename `modules` could put another folder in its place, so the prefix counts, too. */
function checkOwners(prefix: string, home: string): void {
  const self = process.geteuid?.() ?? 0;
  for (const folder of [prefix, home]) {
    const { uid, mode } = folder === prefix ? statSync(folder) : lstatSync(folder);
    const isFolder = folder === prefix || lstatSync(folder).isDirectory();
    const isOwn = uid === self || (uid === 0 && folder === prefix);
    const isClosed = (mode & 0o022) === 0 || (folder === prefix && (mode & 0o1000) !== 0);
    if (isFolder && isOwn && isClosed) continue;
    throw new KoalaError(
      "ERR_MODULE_CACHE",
      `${folder} must be a folder that only the daemon's user (${self}) can write to, for code is executed from ${home}; found owner ${uid}, mode ${(mode & 0o7777).toString(8)}. Correct that (chmod go-w), or use another prefix`,
    );
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
