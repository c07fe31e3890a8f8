/** What the gateway says of itself in the daemon's folder, and what it sees there of the daemon. */
import { readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GATEWAY_STATE, type GatewayState } from "@koala/protocol";

/** Says that this process is the gateway of the folder, and what it does. */
export function writeState(
  prefix: string,
  settings: string,
  doors: Pick<GatewayState, "ingresses" | "egresses">,
): void {
  const state: GatewayState = {
    pid: process.pid,
    startTicks: startTicksOf("self"),
    startedAt: new Date().toISOString(),
    version: "0.1.0",
    settings,
    ...doors,
  };
  const path = join(prefix, GATEWAY_STATE);
  const next = `${path}.${process.pid}`;
  writeFileSync(next, `${JSON.stringify(state)}\n`, { mode: 0o644 });
  renameSync(next, path);
}

/** Takes that back, unless another process has said it since. */
export function removeState(prefix: string): void {
  const path = join(prefix, GATEWAY_STATE);
  try {
    const state = JSON.parse(readFileSync(path, "utf8")) as GatewayState;
    if (state.pid === process.pid) unlinkSync(path);
  } catch {
    // It is gone already.
  }
}

/** Whether a daemon serves the folder. */
export function isDaemonThere(prefix: string): boolean {
  try {
    const pid = Number(readFileSync(join(prefix, "koalad.pid"), "utf8"));
    return process.kill(pid, 0);
  } catch (error) {
    // Not ours to signal is there, too.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function startTicksOf(pid: string): string {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
