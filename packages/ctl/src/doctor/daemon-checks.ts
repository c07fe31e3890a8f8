/** The daemon of the prefix: whether it answers, is of this release, and takes apps. */
import { lstatSync } from "node:fs";
import { KoalaError, messageOf } from "@koala/interface";
import type { DaemonStatus } from "@koala/protocol";
import { askAdmin } from "../admin-client.ts";
import { formatDuration } from "../quantity.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";
import { socketPaths } from "./prefix-checks.ts";

/** The daemon that answers, or why none does. */
export type DaemonAnswer = DaemonStatus | KoalaError;

/** Asks the daemon for its status. */
export async function askDaemon(prefix: string): Promise<DaemonAnswer> {
  try {
    return await askAdmin(prefix, "/v1/status");
  } catch (error) {
    if (error instanceof KoalaError) return error;
    throw error;
  }
}

/** Checks it; `version` is that of koalactl. */
export async function checkDaemon(
  prefix: string,
  answer: DaemonAnswer,
  version: string,
): Promise<Finding[]> {
  if (answer instanceof KoalaError) return checkSilence(prefix, answer);
  const { pid, state, uptimeMs } = answer;
  const text = `koalad ${answer.version} answers, process ${pid}, up ${formatDuration(uptimeMs)}`;
  const running =
    state === "running"
      ? ok("daemon", text)
      : warning(
          "daemon",
          `${text}, but takes no new calls (${state})`,
          "wait for its end, start it again",
        );
  return [running, checkVersion(answer.version, version), await checkControlSocket(prefix)];
}

function checkVersion(daemon: string, ctl: string): Finding {
  if (daemon === ctl) return ok("version", `koalactl ${ctl}, as the daemon`);
  const text = `koalactl ${ctl}, koalad ${daemon}`;
  const fix = "install the same release of both, then: koalactl upgrade --daemon";
  return warning("version", text, fix);
}

/** Nobody answers, which is fine before the first start. */
async function checkSilence(prefix: string, error: KoalaError): Promise<Finding[]> {
  if (error.code !== "ERR_CTL_NO_DAEMON") {
    const fix = "ask as root or as the user of the daemon, and look into its log";
    return [warning("daemon", error.message, fix), await checkControlSocket(prefix)];
  }
  const start = `koalactl dev, or koalad --prefix ${prefix}`;
  if (Object.values(socketPaths(prefix)).some(isThere)) {
    const text = `none runs; one that was killed has left its sockets in ${prefix}`;
    return [warning("daemon", text, `${start}: it replaces them`)];
  }
  return [warning("daemon", `none runs at ${prefix}`, start)];
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false; // this user may not even look
  }
}

/** What every app does first. The daemon drops a connection that says nothing without a word. */
async function checkControlSocket(prefix: string): Promise<Finding> {
  const path = socketPaths(prefix).control;
  let native: typeof import("@koala/native");
  try {
    native = await import("@koala/native");
  } catch {
    return warning("control socket", "not tried: the addon does not load", "see above: addon");
  }
  try {
    native.closeFd(native.unixConnect(path, native.SOCKET_SEQPACKET));
    return ok("control socket", "takes apps of this user");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    const fix =
      code === "EACCES" ? `chmod o+x ${prefix}, and the folders above it` : "restart the daemon";
    return problem("control socket", `${path}: ${messageOf(error)}`, fix);
  }
}
