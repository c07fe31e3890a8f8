/** Koala as it is: apps, rings, daemons. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Program } from "../program.ts";
import type { Stage } from "../stage.ts";
import type { RunningSystem, System } from "./system.ts";

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

/** One daemon, both apps on it. */
export const koalaLocalSystem: System = {
  name: "koala-local",
  cases: ["latency", "rate", "goodput", "stream", "stream-up", "stream-both"],
  byDefault: true,
  floors: { latency: "floor-ring-local", rate: "floor-ring-local", goodput: "floor-tcp" },
  start: async (stage) => {
    const host = await startHost(stage, "koala-local daemon", []);
    return startApps(stage, "koala-local", host, host, []);
  },
};

function twoHosts(
  name: string,
  cases: readonly string[],
  byDefault: boolean,
  clientArgs: readonly string[],
): System {
  return {
    name,
    cases,
    byDefault,
    floors: { latency: "floor-ring-tcp", rate: "floor-ring-tcp", goodput: "floor-tcp" },
    start: async (stage) => {
      const far = await startHost(stage, `${name} daemon B`, []);
      const near = await startHost(stage, `${name} daemon A`, [far]);
      return startApps(stage, name, near, far, clientArgs);
    },
  };
}

/** Two daemons, linked over TCP on the loopback device. */
export const koalaTcpSystem: System = twoHosts(
  "koala-tcp",
  ["latency", "rate", "goodput", "stream", "stream-up", "stream-both"],
  true,
  [],
);

/** The same, where apps do not use what spares them copies of large messages. */
export const koalaTcpCopySystem: System = twoHosts("koala-tcp-copy", ["goodput"], false, ["copy"]);
