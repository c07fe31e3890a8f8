/** Where the daemon of this host is to be found. */
import { userInfo } from "node:os";
import { join } from "node:path";
import { CONTROL_SOCKET } from "@koala/protocol";

/**
 * The daemon's folder: the option, else `KOALA_PREFIX`, else `$XDG_RUNTIME_DIR/koala`, else
 * `/tmp/koala-<uid>`. The daemon goes by the same rule.
 */
export function resolvePrefix(
  option: string | undefined,
  environment: NodeJS.ProcessEnv = process.env,
): string {
  if (option !== undefined && option !== "") return option;
  const fromKoala = environment["KOALA_PREFIX"];
  if (fromKoala !== undefined && fromKoala !== "") return fromKoala;
  const runtimeFolder = environment["XDG_RUNTIME_DIR"];
  if (runtimeFolder !== undefined && runtimeFolder !== "") return join(runtimeFolder, "koala");
  return `/tmp/koala-${userInfo().uid}`;
}

/** The control socket of the daemon with this prefix. */
export function controlSocketPath(prefix: string): string {
  return join(prefix, CONTROL_SOCKET);
}
