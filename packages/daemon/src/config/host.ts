import { hostname } from "node:os";
import { isAbsolute, join } from "node:path";

/** What the host contributes: the defaults that are not the same everywhere. */
export interface Host {
  /** Directory for the sockets when nobody names one. */
  readonly prefix: string;
  /** Name of the daemon when nobody gives it one. */
  readonly name: string;
  /** Base of relative paths that come from flags and variables. */
  readonly directory: string;
}

/** The host as this process sees it. */
export function readHost(env: NodeJS.ProcessEnv): Host {
  const runtimeDir = env["XDG_RUNTIME_DIR"] ?? "";
  const userId = process.getuid?.() ?? 0;
  // The XDG specification says that a relative path here is to be ignored.
  const prefix = isAbsolute(runtimeDir) ? join(runtimeDir, "koala") : `/tmp/koala-${userId}`;
  // The kernel takes any bytes as a host name; peers and file names do not.
  const name = hostname()
    .replace(/[^A-Za-z0-9._-]/g, "-")
    .slice(0, 64);
  return { prefix, name: name === "" ? "koala" : name, directory: process.cwd() };
}
