/** Calls bench.v1.Echo over grpc-js on command: `grpc-client.js koala|PORT`. */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { koalaChannel } from "@koala/grpc-js";
import { type Call, runCalls } from "../call-load.ts";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import type { RunCommand } from "../load-command.ts";
import { obeyCommands } from "../obey-commands.ts";
import { checkReply, stampEnds } from "../payload.ts";
import { runStream } from "../stream-load.ts";
import { grpcMethod, grpcOptions } from "./grpc-method.ts";
import { grpcStream } from "./grpc-streams.ts";

const [, , where = ""] = process.argv;
const overKoala = where === "koala" ? { channelOverride: koalaChannel("bench") } : {};
const client = new Client(`127.0.0.1:${where}`, credentials.createInsecure(), {
  ...grpcOptions,
  ...overKoala,
});

/** A method as a function that takes a plain object of fields, as Koala's clients have it. */
function callFunction<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
): (init: MessageInitShape<I>) => Promise<MessageShape<O>> {
  const { path, requestSerialize, responseDeserialize } = grpcMethod(method);
  return (init) =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(method.input, init),
        (error, reply) => {
          if (error !== null) reject(error);
          else resolve(reply!);
        },
      );
    });
}

const echo = callFunction(Echo.method.echo);
const put = callFunction(Echo.method.put);

function callOf({ method, bytes }: RunCommand): Call {
  const data = new Uint8Array(bytes);
  if (method === "echo") {
    return async () => checkReply(bytes, (await echo({ payload: data })).payload.length);
  }
  stampEnds(data);
  return async () => checkReply(bytes, (await put({ data })).bytes);
}

await obeyCommands((command, samples) => {
  const { method, bytes } = command;
  if (method === "echo" || method === "put") return runCalls(callOf(command), command, samples);
  return runStream(grpcStream(client, method, bytes), command);
});
client.close();
