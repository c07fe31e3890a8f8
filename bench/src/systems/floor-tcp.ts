import type { System } from "./system.ts";

/** Two processes and a socket: what a transport over TCP can't be faster than. */
export const floorTcpSystem: System = {
  name: "floor-tcp",
  cases: ["latency", "rate", "goodput"],
  byDefault: true,
  floors: {},
  start: async (stage, { method, bytes, inFlight }) => {
    const server = stage.start("floor-tcp-server.js", {
      name: "floor-tcp server",
      args: [method, String(bytes), String(inFlight)],
    });
    const { port } = await server.ready();
    const client = stage.start("floor-tcp-client.js", {
      name: "floor-tcp client",
      args: [String(port)],
    });
    await client.ready();
    return { client, server, daemons: [] };
  },
};
