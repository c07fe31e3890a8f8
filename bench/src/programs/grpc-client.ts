/** Calls bench.v1.Echo over grpc-js on command: `grpc-client.js koala|PORT`. */
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { koalaChannel } from "@koala/grpc-js";
import { until } from "@koala/testing";
import { Echo } from "../gen/bench/v1/bench_pb.ts";
import { type Call, runCalls } from "../load/call-load.ts";
import type { RunCommand } from "../load/load-command.ts";
import { obeyCommands } from "../load/obey-commands.ts";
import { checkReply, stampEnds } from "../load/payload.ts";
import { runStream } from "../load/stream-load.ts";
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
): (init: MessageInitShape<I>, metadata?: Metadata) => Promise<MessageShape<O>> {
  const { path, requestSerialize, responseDeserialize } = grpcMethod(method);
  return (init, metadata = new Metadata()) =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        create(method.input, init),
        metadata,
        (error, reply) => {
          if (error !== null) reject(error);
          else resolve(reply!);
        },
      );
    });
}

const echo = callFunction(Echo.method.echo);
const put = callFunction(Echo.method.put);

/** Where proxies find the text, which can't look into messages. */
const textHeader = "bench-name";
const firstCallMs = 15_000;

function callOf({ method, bytes, text = "" }: RunCommand): Call {
  const data = new Uint8Array(bytes);
  if (method === "echo") {
    const request = { payload: data, name: text };
    return async () => {
      const metadata = new Metadata();
      if (text !== "") metadata.set(textHeader, text);
      checkReply(bytes, (await echo(request, metadata)).payload.length);
    };
  }
  stampEnds(data);
  return async () => checkReply(bytes, (await put({ data })).bytes);
}

async function answers(): Promise<boolean> {
  try {
    await echo({ payload: new Uint8Array(1) });
    return true;
  } catch {
    return false;
  }
}

// What is in between may not have found the server yet.
await until("the server answers", answers, firstCallMs);
await obeyCommands((command, samples) => {
  const { method, bytes } = command;
  if (method === "echo" || method === "put") return runCalls(callOf(command), command, samples);
  return runStream(grpcStream(client, method, bytes), command);
});
client.close();
