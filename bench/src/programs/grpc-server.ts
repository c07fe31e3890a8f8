/**
 * Serves bench.v1.Echo over grpc-js on a free port, and says which: `grpc-server.js [FILE]`. Writes its descriptors
 * to the file, for gateways.
 */
import { writeFileSync } from "node:fs";
import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerWritableStream,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import type { EchoReply, EchoRequest, PutReply, PutRequest } from "../gen/bench/v1/bench_pb.ts";
import {
  Echo,
  EchoReplySchema,
  file_bench_v1_bench,
  PutReplySchema,
} from "../gen/bench/v1/bench_pb.ts";
import { say, waitForEnd } from "../load/obey-commands.ts";
import { checkEnds } from "../load/payload.ts";
import { grpcMethod, grpcOptions } from "./grpc-method.ts";

type Reply<T> = (error: Error | null, reply: T) => void;

const handlers: UntypedServiceImplementation = {
  echo: ({ request }: { request: EchoRequest }, reply: Reply<EchoReply>) =>
    reply(null, create(EchoReplySchema, { payload: request.payload })),
  put: ({ request }: { request: PutRequest }, reply: Reply<PutReply>) =>
    reply(null, create(PutReplySchema, { bytes: checkEnds(request.data) })),
  down: (stream: ServerWritableStream<EchoRequest, EchoReply>) => {
    const message = create(EchoReplySchema, { payload: stream.request.payload });
    const send = (): void => {
      while (!stream.cancelled && stream.write(message));
    };
    stream.on("drain", send);
    send();
  },
  up: (stream: ServerReadableStream<EchoRequest, PutReply>, reply: Reply<PutReply>) => {
    let bytes = 0;
    stream.on("data", () => bytes++);
    stream.on("end", () => reply(null, create(PutReplySchema, { bytes })));
  },
  both: (stream: ServerDuplexStream<EchoRequest, EchoReply>) => {
    stream.on("data", ({ payload }: EchoRequest) => {
      if (!stream.write(create(EchoReplySchema, { payload }))) stream.pause();
    });
    stream.on("drain", () => stream.resume());
    stream.on("end", () => stream.end());
  },
};

const server = new Server(grpcOptions);
server.addService(
  {
    echo: grpcMethod(Echo.method.echo),
    put: grpcMethod(Echo.method.put),
    down: grpcMethod(Echo.method.down),
    up: grpcMethod(Echo.method.up),
    both: grpcMethod(Echo.method.both),
  },
  handlers,
);
const port = await new Promise<number>((resolve, reject) => {
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => {
    if (error === null) resolve(bound);
    else reject(error);
  });
});
const [, , descriptorsFile] = process.argv;
if (descriptorsFile !== undefined) {
  const set = create(FileDescriptorSetSchema, { file: [file_bench_v1_bench.proto] });
  writeFileSync(descriptorsFile, toBinary(FileDescriptorSetSchema, set));
}
say({ ready: true, port });
await waitForEnd();
server.forceShutdown();
