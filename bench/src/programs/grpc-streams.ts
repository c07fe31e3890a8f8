/** Streams of bench.v1.Echo over grpc-js, with the events that are its fastest form. */
import { once } from "node:events";
import { create } from "@bufbuild/protobuf";
import type { Client, ClientDuplexStream, ClientWritableStream } from "@grpc/grpc-js";
import type { StreamMethod } from "../cases/case.ts";
import type { EchoReply, EchoRequest, PutReply } from "../gen/bench/v1/bench_pb.ts";
import { Echo, EchoRequestSchema } from "../gen/bench/v1/bench_pb.ts";
import { checkReply } from "../load/payload.ts";
import type { Clock, RunStream } from "../load/stream-load.ts";
import { grpcMethod } from "./grpc-method.ts";

/** A stream of the kind, with messages of so many bytes. */
export function grpcStream(client: Client, method: StreamMethod, bytes: number): RunStream {
  const request = create(EchoRequestSchema, { payload: new Uint8Array(bytes) });
  switch (method) {
    case "down":
      return (clock) => takeDown(client, request, clock);
    case "up":
      return (clock) => sendUp(client, request, clock);
    case "both":
      return (clock) => sendBoth(client, request, clock);
  }
}

function takeDown(client: Client, request: EchoRequest, clock: Clock): Promise<number> {
  const { path, requestSerialize, responseDeserialize } = grpcMethod(Echo.method.down);
  const stream = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
  );
  return new Promise((resolve, reject) => {
    let taken = 0;
    stream.on("data", ({ payload }: EchoReply) => {
      checkReply(request.payload.length, payload.length);
      taken++;
      if (clock.isRunning) return;
      stream.cancel();
      resolve(taken);
    });
    // Also the cancellation, which then changes nothing.
    stream.on("error", reject);
  });
}

async function sendUp(client: Client, request: EchoRequest, clock: Clock): Promise<number> {
  const { path, requestSerialize, responseDeserialize } = grpcMethod(Echo.method.up);
  let settle: (reply: PutReply) => void;
  let fail: (error: Error) => void;
  const reply = new Promise<PutReply>((resolve, reject) => {
    settle = resolve;
    fail = reject;
  });
  const stream = client.makeClientStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    (error: Error | null, value?: PutReply) => (error === null ? settle(value!) : fail(error)),
  );
  await send(stream, request, clock);
  return (await reply).bytes;
}

async function sendBoth(client: Client, request: EchoRequest, clock: Clock): Promise<number> {
  const { path, requestSerialize, responseDeserialize } = grpcMethod(Echo.method.both);
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  let taken = 0;
  stream.on("data", ({ payload }: EchoReply) => {
    checkReply(request.payload.length, payload.length);
    taken++;
  });
  const ended = once(stream, "end");
  await send(stream, request, clock);
  await ended;
  return taken;
}

async function send(
  stream: ClientWritableStream<EchoRequest> | ClientDuplexStream<EchoRequest, EchoReply>,
  request: EchoRequest,
  clock: Clock,
): Promise<void> {
  while (clock.isRunning) if (!stream.write(request)) await once(stream, "drain");
  stream.end();
}
