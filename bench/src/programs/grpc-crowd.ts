/** Has many channels of grpc-js to one server, each with a connection of its own: `grpc-crowd.js PORT`. */
import { create } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import { obeyCrowd } from "../load/obey-crowd.ts";
import { grpcMethod, grpcOptions } from "./grpc-method.ts";

const [, , port = ""] = process.argv;
/** On a machine that is busy with other things. */
const waitMs = 60_000;
const { path, requestSerialize, responseDeserialize } = grpcMethod(Echo.method.echo);
const request = create(Echo.method.echo.input, { payload: new Uint8Array(64) });

await obeyCrowd(async () => {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    ...grpcOptions,
    // Otherwise all channels of a process would share one connection.
    "grpc.use_local_subchannel_pool": 1,
  });
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + waitMs, (error) =>
      error === undefined ? resolve() : reject(error),
    );
  });
  return {
    call: () =>
      new Promise<void>((resolve, reject) => {
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error) =>
          error === null ? resolve() : reject(error),
        );
      }),
    close: async () => client.close(),
  };
});
