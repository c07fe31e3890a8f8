/**
 * gRPC's interoperability cases with unmodified clients of grpc-js: over grpc-js's own server as a control, over shared
 * memory on one host, between two daemons, and through the ingress of a gateway; each against an implementation for
 * grpc-js and one for Koala.
 */
import { describe, it } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { serveGrpcJs } from "@koala/grpc-js";
import type { Mesh } from "@koala/mrpc";
import { atEnd, startCluster, startDaemon, untilKnown } from "../stage/cluster.ts";
import { startGateway } from "../stage/gateway.ts";
import { connectTo } from "../stage/kitchen.ts";
import { testService } from "./definition.ts";
import { grpcService } from "./grpc-service.ts";
import { clientsOf, koalaClient, runAll } from "./interop-clients.ts";
import { serveInterop } from "./native-service.ts";

const servers = [
  {
    written: "grpc-js",
    serve: (mesh: Mesh) => serveGrpcJs(mesh, { name: "interop" }, [[testService, grpcService]]),
  },
  { written: "Koala", serve: (mesh: Mesh) => serveInterop(mesh) },
];

describe("gRPC's interoperability cases", { timeout: 180_000 }, () => {
  it("pass over grpc-js's own HTTP/2", async (t) => {
    const server = new grpc.Server();
    server.addService(testService, grpcService);
    atEnd(t, () => server.forceShutdown());
    const port = await new Promise<number>((resolve, reject) => {
      const credentials = grpc.ServerCredentials.createInsecure();
      server.bindAsync("127.0.0.1:0", credentials, (error, bound) => {
        if (error === null) resolve(bound);
        else reject(error);
      });
    });
    await runAll(t, clientsOf(t, `127.0.0.1:${port}`));
  });

  for (const { written, serve } of servers) {
    it(`pass on one host, against a server written for ${written}`, async (t) => {
      const daemon = await startDaemon(t);
      await serve(await connectTo(t, daemon));
      await runAll(t, koalaClient(t, await connectTo(t, daemon)));
    });

    it(`pass between two daemons, against a server written for ${written}`, async (t) => {
      const { a, b } = await startCluster(t);
      await serve(await connectTo(t, b));
      await untilKnown(a, "interop");
      await runAll(t, koalaClient(t, await connectTo(t, a)));
    });

    it(`pass through an ingress, against a server written for ${written}`, async (t) => {
      const daemon = await startDaemon(t);
      await serve(await connectTo(t, daemon));
      const { address } = await startGateway(t, daemon);
      await runAll(t, clientsOf(t, address));
    });
  }
});
