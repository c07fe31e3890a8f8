/**
 * The same service over grpc-js, where each side links a whole RPC stack: what Koala is compared with.
 * Prints the port that it was given, and ends on SIGTERM.
 */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { type handleUnaryCall, Server, ServerCredentials } from "@grpc/grpc-js";
import { RpcError, Status } from "@koala/mrpc";
import { loadCities } from "./cities.ts";
import { Geo } from "./gen/geo/v1/geo_pb.ts";
import { createGeoIndex } from "./geo-index.ts";
import { geoService } from "./geo-service.ts";
import { grpcMethod } from "./grpc-method.ts";

/** Makes a grpc-js handler of one of ours; status numbers are the same on both sides. */
function grpcHandler<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  handle: (request: MessageShape<I>) => MessageInitShape<O>,
): handleUnaryCall<MessageShape<I>, MessageShape<O>> {
  return ({ request }, reply) => {
    try {
      reply(null, create(method.output, handle(request)));
    } catch (error) {
      if (error instanceof RpcError) reply({ code: error.status, details: error.reason });
      else reply({ code: Status.UNKNOWN, details: `handler threw: ${error}` });
    }
  };
}

const index = createGeoIndex(loadCities());
const service = geoService(index);
const server = new Server();
server.addService(
  { nearest: grpcMethod(Geo.method.nearest), lookup: grpcMethod(Geo.method.lookup) },
  {
    nearest: grpcHandler(Geo.method.nearest, service.nearest),
    lookup: grpcHandler(Geo.method.lookup, service.lookup),
  },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(`geo: serving ${index.cityCount} cities over gRPC on 127.0.0.1:${port}`);
});
process.once("SIGTERM", () => {
  // Calls that are under way get a second; then nobody is waited for.
  setTimeout(() => server.forceShutdown(), 1000).unref();
  server.tryShutdown(() => {});
});
