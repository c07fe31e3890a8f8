/** What daemon and gateway say to each other by files in the daemon's folder. */
import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GATEWAY_STATE, type GatewayState } from "@koala/protocol";
import type { Config } from "../config/index.ts";
import { version } from "../version.ts";

/** The gateway ends by itself when no daemon was there for so long. */
const lingerMs = 30_000;

/** What a gateway is to do, as JSON; undefined when there is nothing. */
export function gatewaySettings(config: Config): string | undefined {
  const { daemon, limits, ingresses, egresses } = config;
  if (ingresses.length + egresses.length === 0) return undefined;
  const { prefix, drainMs } = daemon;
  const { messageBytes } = limits;
  return JSON.stringify({ prefix, drainMs, messageBytes, lingerMs, ingresses, egresses });
}

/** Names settings, and the version of the code that is to obey them. */
export function settingsHash(settings: string): string {
  return createHash("sha256").update(version).update("\0").update(settings).digest("hex");
}

/** Writes the settings for a gateway that is about to start; returns the path. */
export function writeSettings(prefix: string, settings: string): string {
  const path = join(prefix, "gateway-settings.json");
  const next = `${path}.${process.pid}`;
  writeFileSync(next, settings, { mode: 0o600 });
  renameSync(next, path);
  return path;
}

/** What the gateway of a folder says of itself; undefined when it does not, or is gone. */
export function readGatewayState(prefix: string): GatewayState | undefined {
  let state: GatewayState;
  try {
    state = JSON.parse(readFileSync(join(prefix, GATEWAY_STATE), "utf8")) as GatewayState;
  } catch {
    return undefined;
  }
  return isThere(state) ? state : undefined;
}

/** Whether the process is there still, and no other one with its number. */
export function isThere({ pid, startTicks }: Pick<GatewayState, "pid" | "startTicks">): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] !== "Z" && fields[19] === startTicks;
  } catch {
    return false;
  }
}
