/** Daemons and apps of systems that are more than a file says. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Program } from "../processes/program.ts";
import type { Stage } from "../processes/stage.ts";
import type { RunningSystem } from "./system.ts";

/** A daemon of its own. */
export interface Host {
  readonly prefix: string;
  readonly address: string;
  readonly daemon: Program;
}

/** Starts a daemon with a folder and a port of its own, linked to `peers`. */
export async function startHost(
  stage: Stage,
  name: string,
  peers: readonly Host[],
  settings = "",
  env: Readonly<Record<string, string>> = {},
): Promise<Host> {
  const prefix = stage.folder(name.replaceAll(" ", "-"));
  const config = join(prefix, "koala.toml");
  const links = peers.map(({ address }) => `[[peer]]\naddress = "${address}"\n`);
  writeFileSync(config, links.join("") + settings);
  return startDaemon(stage, name, prefix, env);
}

/** Ends a daemon and starts another one on the same folder, with a port of its own. */
export async function restartHost(stage: Stage, { prefix, daemon }: Host): Promise<Host> {
  await daemon.stop();
  return startDaemon(stage, daemon.name, prefix, {});
}

async function startDaemon(
  stage: Stage,
  name: string,
  prefix: string,
  env: Readonly<Record<string, string>>,
): Promise<Host> {
  const config = join(prefix, "koala.toml");
  const daemon = stage.startDaemon({
    name,
    path: fileURLToPath(import.meta.resolve("@koala/daemon/main")),
    args: ["--prefix", prefix, "--listen", "127.0.0.1:0", "--config", config],
    env,
  });
  const [, address] = await daemon.line(/^koalad: listening on (\S+:\d+)$/);
  await daemon.line(/^koalad: ready/);
  return { prefix, address: address!, daemon };
}

export async function startApps(
  stage: Stage,
  name: string,
  clientHost: Host,
  serverHost: Host,
  clientArgs: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningSystem> {
  const server = stage.start("koala-server.js", {
    name: `${name} server`,
    env: { ...env, KOALA_PREFIX: serverHost.prefix },
  });
  await server.ready();
  const client = stage.start("koala-client.js", {
    name: `${name} client`,
    args: clientArgs,
    env: { ...env, KOALA_PREFIX: clientHost.prefix, KOALA_BENCH_APP: "interactive" },
  });
  await client.ready();
  const daemons = [...new Set([clientHost.daemon, serverHost.daemon])];
  return { client, server, daemons };
}
