import type { System } from "./system.ts";

/** Server and client in processes of their own, connected directly. */
export const grpcSystem: System = {
  name: "grpc-js",
  cases: [
    "latency",
    "rate",
    "goodput",
    "stream",
    "stream-up",
    "stream-both",
    "compat",
    "compat-rate",
    "ingress",
    "ingress-rate",
  ],
  byDefault: true,
  floors: {},
  start: async (stage) => {
    const server = stage.start("grpc-server.js", { name: "grpc-js server" });
    const { port } = await server.ready();
    const client = stage.start("grpc-client.js", { name: "grpc-js client", args: [String(port)] });
    await client.ready();
    return { client, server, daemons: [] };
  },
};
