/**
 * One Envoy before a server of grpc-js, and another that takes its place: the new process gets the listening
 * socket from the old one, which tells its clients to go and ends after a while.
 */
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { KoalaError } from "@koala/interface";
import { until } from "@koala/testing";
import { envoy } from "../peers/envoy.ts";
import type { Program } from "../processes/program.ts";
import type { Stage } from "../processes/stage.ts";

/** For so long the old process asks its clients to leave, and after so long it ends. */
const drainSeconds = 1;
const shutdownSeconds = 2;
const endDeadlineMs = 15_000;

export interface EnvoyPair {
  /** Where clients connect to. */
  readonly port: number;
  /** Starts the next process; resolves when the one before has ended. */
  restart(): Promise<void>;
}

/** Starts the server and the first Envoy. */
export async function startEnvoyPair(stage: Stage): Promise<EnvoyPair> {
  const found = await envoy.find();
  if ("missing" in found) throw new KoalaError("ERR_BENCH_PROGRAM", found.missing);
  const bin = found.vars["bin"]!;
  const server = stage.start("grpc-server.js", { name: "one-envoy server" });
  const { port: serverPort = 0 } = await server.ready();
  const folder = stage.folder("one-envoy");
  const port = await freePort();
  const config = join(folder, "envoy.json");
  writeFileSync(config, JSON.stringify(envoyConfig(port, serverPort)));
  // Processes that share it share memory and sockets; others of this machine must not.
  const baseId = String(process.pid);
  let epoch = -1;
  let current: Program | undefined;
  const startNext = async (): Promise<void> => {
    epoch++;
    const admin = join(folder, `admin-${epoch}`);
    current = stage.startDaemon({
      name: `one-envoy, epoch ${epoch}`,
      path: bin,
      isCommand: true,
      args: [
        ...["--config-path", config, "--restart-epoch", String(epoch), "--base-id", baseId],
        ...["--concurrency", "1", "--log-level", "warning", "--drain-strategy", "immediate"],
        ...["--drain-time-s", String(drainSeconds)],
        ...["--parent-shutdown-time-s", String(shutdownSeconds)],
        ...["--admin-address-path", admin],
      ],
    });
    await until(`Envoy of epoch ${epoch} is ready`, () => existsSync(admin), endDeadlineMs);
  };
  await startNext();
  return {
    port,
    restart: async () => {
      const old = current!;
      await startNext();
      await until(
        `the Envoy before epoch ${epoch} has ended`,
        () => !old.isRunning(),
        endDeadlineMs,
      );
    },
  };
}

function envoyConfig(port: number, serverPort: number): object {
  const at = (portValue: number) => ({
    socket_address: { address: "127.0.0.1", port_value: portValue },
  });
  const router = {
    name: "envoy.filters.http.router",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
    },
  };
  const manager = {
    "@type":
      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "in",
    codec_type: "HTTP2",
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "server", timeout: "0s" } }],
        },
      ],
    },
    http_filters: [router],
  };
  const http2 = {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  };
  return {
    admin: { address: at(0) },
    static_resources: {
      listeners: [
        {
          name: "in",
          address: at(port),
          filter_chains: [
            {
              filters: [
                { name: "envoy.filters.network.http_connection_manager", typed_config: manager },
              ],
            },
          ],
        },
      ],
      clusters: [
        {
          name: "server",
          type: "STATIC",
          typed_extension_protocol_options: {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2,
          },
          load_assignment: {
            cluster_name: "server",
            endpoints: [{ lb_endpoints: [{ endpoint: { address: at(serverPort) } }] }],
          },
        },
      ],
    },
  };
}

/** A port that nobody listens on: the two processes have to agree on one. */
async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
