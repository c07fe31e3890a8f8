/**
 * gRPC's interoperability cases with unmodified clients of grpc-js: over grpc-js's own server as a control, over shared
 * memory on one host, between two daemons, and through the ingress of a gateway; each against an implementation for
 * grpc-js and one for Koala.
 */
import { describe, it, type TestContext } from "node:test";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { koalaChannel, serveGrpcJs } from "@koala/grpc-js";
import type { Mesh } from "@koala/mrpc";
import { atEnd, startCluster, startDaemon } from "../cluster.ts";
import { startGateway } from "../gateway.ts";
import { connectTo } from "../kitchen.ts";
import { type InteropClients, interopCases } from "./cases.ts";
import {
  type InteropClient,
  TestServiceClient,
  testService,
  UnimplementedServiceClient,
} from "./definition.ts";
import { grpcService } from "./grpc-service.ts";
import { serveInterop } from "./native-service.ts";

/** How long a server that has been started may be unknown on another host. */
const startMsMax = 20_000;

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
      await runAll(t, clientsOf(t, "koala", koalaClient(t, await connectTo(t, daemon))));
    });

    it(`pass between two daemons, against a server written for ${written}`, async (t) => {
      const { a, b } = await startCluster(t);
      await serve(await connectTo(t, b));
      await runAll(t, clientsOf(t, "koala", koalaClient(t, await connectTo(t, a))));
    });

    it(`pass through an ingress, against a server written for ${written}`, async (t) => {
      const daemon = await startDaemon(t);
      await serve(await connectTo(t, daemon));
      const { address } = await startGateway(t, daemon);
      await runAll(t, clientsOf(t, address));
    });
  }
});

function koalaClient(test: TestContext, mesh: Mesh): grpc.ClientOptions {
  const channelOverride = koalaChannel("interop", { mesh });
  atEnd(test, () => channelOverride.close());
  return { channelOverride };
}

function clientsOf(
  test: TestContext,
  address: string,
  options: grpc.ClientOptions = {},
): InteropClients {
  const clients = [TestServiceClient, UnimplementedServiceClient].map(
    (Client) => new Client(address, grpc.credentials.createInsecure(), options),
  );
  atEnd(test, () => {
    for (const client of clients) client.close();
  });
  const [testClient, unimplemented] = clients as unknown as [InteropClient, InteropClient];
  return { test: testClient, unimplemented };
}

async function runAll(t: TestContext, clients: InteropClients): Promise<void> {
  const { test: client } = clients;
  await promisify(client.waitForReady.bind(client))(Date.now() + startMsMax);
  for (const { name, run } of interopCases) await t.test(name, () => run(clients));
}
