/** Clients of grpc-js for the interoperability cases: over HTTP/2, or over the mesh. */
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import * as grpc from "@grpc/grpc-js";
import { koalaChannel } from "@koala/grpc-js";
import type { Mesh } from "@koala/mrpc";
import type { Ending } from "@koala/testing";
import { atEnd } from "../stage/cluster.ts";
import { type InteropClients, interopCases } from "./cases.ts";
import { type InteropClient, TestServiceClient, UnimplementedServiceClient } from "./definition.ts";

/** How long a server that has been started may be unknown on another host. */
const startMsMax = 20_000;

/** Clients of what listens at an address. */
export function clientsOf(
  test: Ending,
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

/** Clients of what is offered in the mesh under a name. */
export function koalaClient(test: Ending, mesh: Mesh, name: string = "interop"): InteropClients {
  const channelOverride = koalaChannel(name, { mesh });
  atEnd(test, () => channelOverride.close());
  return clientsOf(test, "koala", { channelOverride });
}

/** Each case is a test of its own. */
export async function runAll(t: TestContext, clients: InteropClients): Promise<void> {
  const { test: client } = clients;
  await promisify(client.waitForReady.bind(client))(Date.now() + startMsMax);
  for (const { name, run } of interopCases) await t.test(name, () => run(clients));
}
