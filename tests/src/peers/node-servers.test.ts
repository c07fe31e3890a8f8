/** The mesh calls servers of grpc-js and of connect-es, over their own HTTP/2. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import type { MessageShape } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import * as grpc from "@grpc/grpc-js";
import { serviceSchemaOf } from "@koala/schema";
import type { Ending } from "@koala/testing";
import { TestService } from "../gen/grpc/testing/test_pb.ts";
import { type FailureSchema, type Note, Probe } from "../gen/test/v1/probe_pb.ts";
import { testService } from "../interop/definition.ts";
import { grpcService } from "../interop/grpc-service.ts";
import { atEnd, createFolder } from "../stage/cluster.ts";
import { statusDetails } from "../stage/gateway.ts";
import { definitionOf } from "../stage/grpc-client.ts";
import { connectRoutes } from "./connect-routes.ts";
import { assertServer } from "./peer-cases.ts";

type Failure = MessageShape<typeof FailureSchema>;

/** Sets of descriptors one behind the other are one set. */
function writeDescriptors(test: Ending): string {
  const file = join(createFolder(test), "services.binpb");
  const sets = [TestService, Probe].map((service) => serviceSchemaOf(service).descriptorSet);
  writeFileSync(file, Buffer.concat(sets));
  return file;
}

const grpcProbe: grpc.UntypedServiceImplementation = {
  fail({ request }: grpc.ServerUnaryCall<Failure, Note>, reply: grpc.sendUnaryData<Note>) {
    const { status: code, message: details } = request;
    const metadata = new grpc.Metadata();
    metadata.set("x-reason", "told to");
    metadata.set("grpc-status-details-bin", Buffer.from(statusDetails(code, details)));
    reply({ code, details, metadata });
  },
};

describe("servers of Node", { timeout: 170_000 }, () => {
  it("of grpc-js are called as services of the mesh", async (t) => {
    const server = new grpc.Server();
    atEnd(t, () => server.forceShutdown());
    server.addService(testService, grpcService);
    server.addService(definitionOf(Probe), grpcProbe);
    const bind = promisify(server.bindAsync.bind(server));
    const port = await bind("127.0.0.1:0", grpc.ServerCredentials.createInsecure());
    await assertServer(t, `127.0.0.1:${port}`, writeDescriptors(t));
  });

  it("of connect-es are called as services of the mesh", async (t) => {
    const server = createServer(connectNodeAdapter({ routes: connectRoutes }));
    // Sessions end with the gateway, which ends before.
    atEnd(t, () => promisify(server.close.bind(server))());
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    await assertServer(t, `127.0.0.1:${port}`, writeDescriptors(t));
  });
});
