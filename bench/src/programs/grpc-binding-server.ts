/** Serves services of many types over grpc-js on a free port, and says which. */
import { create } from "@bufbuild/protobuf";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { ServeCommand } from "../load/binding.ts";
import { grpcMethod, grpcOptions } from "./grpc-method.ts";
import { obeySchemas } from "./obey-schemas.ts";

const server = new Server(grpcOptions);
const port = await new Promise<number>((resolve, reject) => {
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
    if (error === null) resolve(bound);
    else reject(error);
  });
});
await obeySchemas<ServeCommand>({ port }, async (_, service) => {
  const method = service.methods[0]!;
  server.addService(
    { get: grpcMethod(method) },
    {
      get: (_call: unknown, reply: (error: null, value: unknown) => void) =>
        reply(null, create(method.output)),
    },
  );
  return {};
});
server.forceShutdown();
