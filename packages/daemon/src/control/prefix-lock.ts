/**
 * `<prefix>/koalad.lock`: of all daemons that want to serve a folder, one has its lock. It is the kernel's,
 * on an open file: it ends with the process, however that ends, and goes along in an upgrade of the daemon,
 * so there is no moment at which nobody has it. The file says who has it, for people.
 */
import {
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { KoalaError, messageOf } from "@koala/interface";
import { closeFd, lockFile } from "@koala/native";

export const LOCK_FILE = "koalad.lock";

/** A lock that this process holds. */
export class PrefixLock {
  /** For the next daemon. */
  readonly fd: number;
  private readonly path: string;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.fd = fd;
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`, 0);
  }

  /**
   * Takes the lock of a folder, which is made if need be.
   *
   * @throws KoalaError `ERR_DAEMON_PREFIX` when another daemon has it, and says which; or when the folder
   * can't be used.
   */
  static take(prefix: string): PrefixLock {
    const path = join(prefix, LOCK_FILE);
    try {
      for (;;) {
        const fd = openLock(path);
        if (lockFile(fd) === 0) {
          closeFd(fd);
          throw heldError(prefix, path);
        }
        // Whoever had it before may have removed the file meanwhile: then this lock means nothing.
        if (isAt(path, fd)) return new PrefixLock(path, fd);
        closeFd(fd);
      }
    } catch (error) {
      if (error instanceof KoalaError) throw error;
      throw new KoalaError(
        "ERR_DAEMON_PREFIX",
        `can't use ${prefix}: ${messageOf(error)}. Let the daemon's user write there, or use another --prefix`,
        { cause: error },
      );
    }
  }

  /** The lock that the daemon before this one has handed over. */
  static adopt(prefix: string, fd: number): PrefixLock {
    return new PrefixLock(join(prefix, LOCK_FILE), fd);
  }

  /** Lets others have the folder. */
  release(): void {
    try {
      if (isAt(this.path, this.fd)) unlinkSync(this.path);
    } catch {
      // It is gone already, as is the folder perhaps.
    }
    closeFd(this.fd);
  }
}

function openLock(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
}

/** Whether the path leads to the file that is open. */
function isAt(path: string, fd: number): boolean {
  try {
    const [there, here] = [statSync(path), fstatSync(fd)];
    return there.ino === here.ino && there.dev === here.dev;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

function heldError(prefix: string, path: string): KoalaError {
  const pid = pidIn(path);
  const who = pid === "" ? "another koalad, which has just started," : `another koalad (${pid})`;
  return new KoalaError(
    "ERR_DAEMON_PREFIX",
    `${prefix}: ${who} serves it; use another --prefix, or stop that one`,
  );
}

function pidIn(path: string): string {
  try {
    const text = readFileSync(path, "utf8").trim();
    return /^\d+$/.test(text) ? `process ${text}` : "";
  } catch {
    return "";
  }
}
