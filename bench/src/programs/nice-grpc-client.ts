/** Calls bench.v1.Echo with nice-grpc on command: `nice-grpc-client.js PORT`. */
import { create } from "@bufbuild/protobuf";
import { createChannel, createClient } from "nice-grpc";
import {
  type EchoReply,
  type EchoRequest,
  EchoRequestSchema,
  type PutReply,
  type PutRequest,
  PutRequestSchema,
} from "../gen/bench/v1/bench_pb.ts";
import { type Call, runCalls } from "../load/call-load.ts";
import type { RunCommand } from "../load/load-command.ts";
import { obeyCommands } from "../load/obey-commands.ts";
import { checkReply, stampEnds } from "../load/payload.ts";
import { grpcOptions } from "./grpc-method.ts";
import { echoService } from "./nice-grpc-service.ts";

/** Definitions of grpc-js do not tell nice-grpc the types of messages. */
interface EchoClient {
  echo(request: EchoRequest): Promise<EchoReply>;
  put(request: PutRequest): Promise<PutReply>;
}

const [, , port = ""] = process.argv;
const channel = createChannel(`127.0.0.1:${port}`, undefined, grpcOptions);
const client = createClient(echoService, channel) as unknown as EchoClient;

function callOf({ method, bytes, text = "" }: RunCommand): Call {
  const data = new Uint8Array(bytes);
  if (method === "echo") {
    return async () => {
      const request = create(EchoRequestSchema, { payload: data, name: text });
      checkReply(bytes, (await client.echo(request)).payload.length);
    };
  }
  stampEnds(data);
  return async () => {
    const request = create(PutRequestSchema, { data });
    checkReply(bytes, (await client.put(request)).bytes);
  };
}

await obeyCommands((command, samples) => runCalls(callOf(command), command, samples));
channel.close();
