/** The folder that daemon and apps meet in. */
import { accessSync, constants, type Stats, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { ADMIN_SOCKET, CONTROL_SOCKET, prefixBytesMax } from "@koala/protocol";
import { type Finding, ok, problem, warning } from "./finding.ts";

/** Mode bits: others may write, and may not remove what is not theirs. */
const writableByOthers = 0o022;
const sticky = 0o1000;

/** Whether a daemon of this user can live in the folder, and nobody else can take its place. */
export function checkPrefix(prefix: string): Finding[] {
  return [checkLength(prefix), ...checkFolder(prefix)];
}

function checkLength(prefix: string): Finding {
  const bytes = Buffer.byteLength(prefix);
  if (bytes <= prefixBytesMax) {
    return ok("path length", `${bytes} bytes of ${prefixBytesMax} at most`);
  }
  const text = `${bytes} bytes, expected ${prefixBytesMax} at most: the path of a Unix socket ends after 107`;
  return problem("path length", text, "choose a shorter --prefix, /tmp/koala for instance");
}

function checkFolder(prefix: string): Finding[] {
  const stat = lookAt(prefix);
  if (stat === "hidden") {
    const text = `${prefix} can't be reached by user ${process.getuid?.() ?? 0}`;
    return [problem("folder", text, "chmod o+x the folders above it, or choose another --prefix")];
  }
  if (stat === undefined) return [checkMissing(prefix)];
  if (!stat.isDirectory()) {
    const text = `${prefix} is no folder`;
    return [problem("folder", text, `choose another --prefix, or remove ${prefix}`)];
  }
  return [checkRights(prefix, stat), checkOthers(prefix, stat)];
}

/** Undefined when it is not there, `hidden` when a folder above keeps this user out. */
function lookAt(path: string): Stats | "hidden" | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return "hidden";
  }
}

/** koalad makes the folder, and those above it, where it may. */
function checkMissing(prefix: string): Finding {
  const above = nearestFolder(prefix);
  if (isWritable(above)) return ok("folder", `${prefix} is not there yet; koalad makes it`);
  const user = userInfo().username;
  const text = `${prefix} is not there, and ${user} may not make it in ${above}`;
  return problem("folder", text, `sudo install -d -o ${user} -m 755 ${prefix}`);
}

function nearestFolder(path: string): string {
  const above = dirname(path);
  if (above === path || lookAt(above) !== undefined) return above;
  return nearestFolder(above);
}

function checkRights(prefix: string, { uid }: Stats): Finding {
  const own = process.getuid?.() ?? 0;
  if (isWritable(prefix)) return ok("folder", `${prefix} is writable`);
  const text = `${prefix} belongs to user ${uid} and is not writable for user ${own}: apps may use a daemon in it, a daemon of this user can't start in it`;
  return warning(
    "folder",
    text,
    "run koalad as the user of the folder, or choose another --prefix",
  );
}

function checkOthers(prefix: string, { mode, uid }: Stats): Finding {
  const bits = (mode & 0o7777).toString(8);
  const own = process.getuid?.() ?? 0;
  if (uid !== own && uid !== 0 && own !== 0) {
    const text = `it belongs to user ${uid}, who decides what answers there`;
    return warning("owner", text, "use it only if you trust that user, or choose another --prefix");
  }
  if ((mode & writableByOthers) === 0 || (mode & sticky) !== 0) return ok("mode", bits);
  const text = `${bits}: other users may put sockets of their own in place of the daemon's`;
  return warning("mode", text, `chmod 755 ${prefix}`);
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Names of the daemon's sockets below the prefix. */
export function socketPaths(prefix: string): { control: string; admin: string } {
  return { control: join(prefix, CONTROL_SOCKET), admin: join(prefix, ADMIN_SOCKET) };
}
