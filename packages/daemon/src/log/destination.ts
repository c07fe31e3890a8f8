/** Opens what the log is written to. */
import { constants, fstatSync, openSync, readFileSync } from "node:fs";
import { KoalaError, messageOf } from "@koala/interface";

/** A descriptor to write to, and whether a synchronous write to it returns promptly. */
export interface Destination {
  readonly fd: number;
  readonly promptly: boolean;
}

/**
 * Opens the file of the log for appending; a new one is readable by its owner and group only.
 *
 * @throws KoalaError `ERR_LOG_FILE`
 */
export function openLogFile(file: string): Destination {
  try {
    // Without waiting, should the path name a pipe: ENXIO when nobody reads it.
    const flags =
      constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NONBLOCK;
    return { fd: openSync(file, flags, 0o640), promptly: true };
  } catch (error) {
    throw new KoalaError(
      "ERR_LOG_FILE",
      `can't open the log file ${JSON.stringify(file)}: ${messageOf(error)}. Give a path in a directory that exists and that the daemon may write to.`,
      { cause: error },
    );
  }
}

/**
 * Standard error, so that writing never waits for its reader. The non-blocking flag belongs to the open
 * file, which other processes may share, so a pipe or terminal is opened once more instead of changing it.
 */
export function openStderr(): Destination {
  try {
    const stat = fstatSync(2);
    if (stat.isFile()) return { fd: 2, promptly: true };
    if (stat.isFIFO() || stat.isCharacterDevice()) {
      const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK;
      return { fd: openSync("/proc/self/fd/2", flags), promptly: true };
    }
    // A socket (systemd's journal, a parent on Node) can't be opened again. Node makes it non-blocking
    // when this getter is first used, as it does in every program that prints an error, and puts the
    // flag back when it exits.
    void process.stderr;
    return { fd: 2, promptly: isNonBlocking(2) };
  } catch {
    // No /proc, or a terminal of another user: descriptor 2 itself serves, in the thread pool.
    return { fd: 2, promptly: false };
  }
}

/** Linux tells the flags of an open file, in octal. */
function isNonBlocking(fd: number): boolean {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"));
  return (Number.parseInt(flags?.[1] ?? "0", 8) & constants.O_NONBLOCK) !== 0;
}
