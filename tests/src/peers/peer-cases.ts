/** Calls from others' clients through an ingress, and calls to others' servers through an egress. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type Mesh, RpcError, Status } from "@koala/mrpc";
import { type Child, type Ending, until } from "@koala/testing";
import { TestService } from "../gen/grpc/testing/test_pb.ts";
import { FailureSchema, Probe } from "../gen/test/v1/probe_pb.ts";
import { interopCases } from "../interop/cases.ts";
import { koalaClient, runAll } from "../interop/interop-clients.ts";
import { serveInterop } from "../interop/native-service.ts";
import { atEnd, startDaemon } from "../stage/cluster.ts";
import { serveProbe, startGateway } from "../stage/gateway.ts";
import { connectTo } from "../stage/kitchen.ts";

/** For all that a client does, on a busy machine. */
const clientDeadlineMs = 90_000;

/** What the clients of other languages do; beyond gRPC's own cases, of which grpc-js's client leaves one out. */
const clientCases = [
  ...interopCases.map(({ name }) => name),
  "client_compressed_unary",
  "status_details",
  "many_at_once",
];

/** Starts a daemon whose gateway brings others to two services written for Koala; resolves with the address. */
export async function startEdge(test: Ending): Promise<string> {
  const daemon = await startDaemon(test);
  await serveInterop(await connectTo(test, daemon));
  await serveProbe(test, daemon);
  return (await startGateway(test, daemon)).address;
}

/** Waits for a client that prints how each of its cases has ended; each is a test of its own. */
export async function assertClient(t: TestContext, client: Child): Promise<void> {
  atEnd(t, () => client.stop());
  await client.line(/^done$/, clientDeadlineMs);
  const { code } = await client.exit();
  assert.equal(code, 0, client.output());
  const lines = client.output().split("\n");
  for (const name of clientCases) {
    await t.test(name, () => {
      const line = lines.find((text) => new RegExp(`^(ok|failed) ${name}\\b`).test(text));
      assert.equal(line, `ok ${name}`);
    });
  }
}

/** Waits for a server to say where it listens. */
export async function addressOf(test: Ending, server: Child): Promise<string> {
  atEnd(test, () => server.stop());
  const [, port] = await server.line(/^listening (\d+)$/);
  return `127.0.0.1:${port}`;
}

/** Calls a server of gRPC through an egress: gRPC's cases, and a failure with details. */
export async function assertServer(
  t: TestContext,
  address: string,
  descriptors?: string,
): Promise<void> {
  const name = "interop";
  const keys = { name, address, ...(descriptors !== undefined && { descriptors }) };
  const config = Object.entries(keys).map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`);
  const daemon = await startDaemon(t, { config: `[[egress]]\n${config.join("")}` });
  const mesh = await connectTo(t, daemon);
  await until("both services are offered", async () => {
    const offers = (await mesh.services()).filter((offer) => offer.name === name);
    return [TestService, Probe].every(({ typeName }) =>
      offers.some(({ service }) => service === typeName),
    );
  });
  await runAll(t, koalaClient(t, mesh, name));
  await t.test("status_details", () => assertDetails(mesh, name));
}

async function assertDetails(mesh: Mesh, name: string): Promise<void> {
  const status = Status.FAILED_PRECONDITION;
  const message = "nö: 100 %";
  await assert.rejects(mesh.client(Probe, name).fail({ status, message }), (error) => {
    assert.ok(error instanceof RpcError);
    assert.deepEqual([error.status, error.reason], [status, message]);
    assert.deepEqual(
      error.metadata.find(([key]) => key === "x-reason"),
      ["x-reason", "told to"],
    );
    const [detail] = error.findDetails(FailureSchema);
    assert.deepEqual([detail?.status, detail?.message], [status, message]);
    return true;
  });
}
