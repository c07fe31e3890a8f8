/** Serves bench.v1.Echo with nice-grpc on a free port, and says which. Streams are not served. */
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { createServer } from "nice-grpc";
import {
  type EchoReply,
  EchoReplySchema,
  type EchoRequest,
  type PutReply,
  PutReplySchema,
  type PutRequest,
} from "../gen/bench/v1/bench_pb.ts";
import { say, waitForEnd } from "../load/obey-commands.ts";
import { checkEnds } from "../load/payload.ts";
import { grpcOptions } from "./grpc-method.ts";
import { echoService } from "./nice-grpc-service.ts";

const reply = (init: MessageInitShape<typeof EchoReplySchema>): EchoReply =>
  create(EchoReplySchema, init);

const server = createServer(grpcOptions);
server.add(echoService, {
  echo: async ({ payload }: EchoRequest): Promise<EchoReply> => reply({ payload }),
  put: async ({ data }: PutRequest): Promise<PutReply> =>
    create(PutReplySchema, { bytes: checkEnds(data) }),
});
const port = await server.listen("127.0.0.1:0");
say({ ready: true, port });
await waitForEnd();
server.forceShutdown();
