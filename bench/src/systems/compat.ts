/** Clients of other libraries, unmodified: over Koala, over their own HTTP/2, and through the ingress port. */
import { fileURLToPath } from "node:url";
import type { Program } from "../program.ts";
import type { Stage } from "../stage.ts";
import { type Host, startHost } from "./koala.ts";
import type { RunningSystem, System } from "./system.ts";

const compatCases = ["compat", "compat-rate"];

async function startServer(stage: Stage, name: string, host: Host): Promise<Program> {
  const server = stage.start("koala-server.js", {
    name: `${name} server`,
    env: { KOALA_PREFIX: host.prefix },
  });
  await server.ready();
  return server;
}

/** A client program that finds its daemon in the environment, between two daemons. */
function overKoala(name: string, program: string, plain: string): System {
  return {
    name,
    cases: compatCases,
    byDefault: true,
    floors: {},
    plain,
    start: async (stage): Promise<RunningSystem> => {
      const far = await startHost(stage, `${name} daemon B`, []);
      const near = await startHost(stage, `${name} daemon A`, [far]);
      const server = await startServer(stage, name, far);
      const client = stage.start(program, {
        name: `${name} client`,
        args: ["koala"],
        env: { KOALA_PREFIX: near.prefix },
      });
      await client.ready();
      return { client, server, daemons: [near.daemon, far.daemon] };
    },
  };
}

/** connect-es over HTTP/2, server and client in processes of their own. */
const connectNodeSystem: System = {
  name: "connect-node",
  cases: compatCases,
  byDefault: true,
  floors: {},
  start: async (stage) => {
    const server = stage.start("connect-server.js", { name: "connect-node server" });
    const { port } = await server.ready();
    const client = stage.start("connect-client.js", {
      name: "connect-node client",
      args: [`http://127.0.0.1:${port}`],
    });
    await client.ready();
    return { client, server, daemons: [] };
  },
};

/** A client of grpc-js, the gateway's port, one daemon, a service of Koala. */
const ingressSystem: System = {
  name: "grpc-js-ingress",
  cases: ["ingress", "ingress-rate"],
  byDefault: true,
  floors: {},
  plain: "grpc-js",
  start: async (stage) => {
    const host = await startHost(stage, "ingress daemon", []);
    const server = await startServer(stage, "ingress", host);
    const gateway = stage.startDaemon({
      name: "gateway",
      path: fileURLToPath(import.meta.resolve("@koala/gateway/main")),
      args: ["--prefix", host.prefix, "--ingress", "127.0.0.1:0", "--route", "bench.v1.Echo=bench"],
    });
    const [, port] = await gateway.line(/^koala-gateway: ingress .* at \S+:(\d+)$/);
    await gateway.line(/^koala-gateway: ready/);
    const client = stage.start("grpc-client.js", { name: "ingress client", args: [port!] });
    await client.ready();
    return { client, server, daemons: [host.daemon, gateway] };
  },
};

export const compatSystems: readonly System[] = [
  overKoala("connect-koala", "connect-client.js", "connect-node"),
  connectNodeSystem,
  overKoala("grpc-js-koala", "grpc-client.js", "grpc-js"),
  ingressSystem,
];
