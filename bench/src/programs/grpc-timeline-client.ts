/**
 * Keeps calling bench.v1.Echo over grpc-js: `grpc-timeline-client.js PORT IN_FLIGHT|paced:RATE`; see
 * `watched-calls.ts`.
 */
import { create } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { Echo, type EchoReply } from "../gen/bench/v1/bench_pb.ts";
import { checkReply } from "../load/payload.ts";
import { grpcMethod, grpcOptions } from "./grpc-method.ts";
import { watchCalls, watchedLoadOf } from "./watched-calls.ts";

const bytes = 32;
const [, , port, load] = process.argv;
const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
  ...grpcOptions,
  // A channel of its own, as the clients of an app have it that does not share one.
  "grpc.use_local_subchannel_pool": 1,
});
const { path, requestSerialize, responseDeserialize } = grpcMethod(Echo.method.echo);

function echo(): Promise<void> {
  const request = create(Echo.method.echo.input, { payload: new Uint8Array(bytes) });
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, reply?: EchoReply): void => {
      if (error !== null) reject(error);
      else resolve(checkReply(bytes, reply!.payload.length));
    };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, done);
  });
}

await echo();
await watchCalls(echo, watchedLoadOf(load));
client.close();
