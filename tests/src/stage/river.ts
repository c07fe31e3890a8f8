/** The service with streaming methods, served by the test's own process, so that tests see both ends. */
import type { Client, Mesh, Server, ServiceImpl } from "@koala/mrpc";
import type { Ending } from "@koala/testing";
import { River } from "../gen/test/v1/river_pb.ts";
import { connectTo, startTopology, type Topology } from "./kitchen.ts";

/** Two connections of this process, over one daemon or two. */
export interface RiverStage {
  readonly daemons: Topology;
  readonly mesh: Mesh;
  readonly river: Client<typeof River>;
  readonly server: Server;
}

/** Handlers that do what the names of their methods say. */
export const riverImpl: ServiceImpl<typeof River> = {
  async *flow({ count, bytes }) {
    const data = new Uint8Array(bytes);
    for (let serial = 0; serial < count; serial++) yield { serial: BigInt(serial), data };
  },
  async collect(drops) {
    let count = 0;
    let serials = 0n;
    let bytes = 0n;
    for await (const { serial, data } of drops) {
      count++;
      serials += serial;
      bytes += BigInt(data.length);
    }
    return { count, serials, bytes };
  },
  async *mirror(drops) {
    for await (const drop of drops) yield drop;
  },
  still: (drop) => drop,
};

/** Daemons, a server and a client. */
export async function startRiver(
  test: Ending,
  hosts: number,
  impl: ServiceImpl<typeof River> = riverImpl,
  config: string = "",
): Promise<RiverStage> {
  const daemons = await startTopology(test, hosts, config);
  const serverMesh = await connectTo(test, daemons.server, { name: "river-server" });
  const server = await serverMesh.serve({ name: "river" }, (r) => r.service(River, impl));
  const mesh = await connectTo(test, daemons.client, { name: "river-client" });
  const river = mesh.client(River, "river");
  // A peer hears of the server a moment after the server does.
  await river.still({}, { waitForReady: true });
  return { daemons, mesh, server, river };
}
