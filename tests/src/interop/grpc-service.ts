/** gRPC's interoperability service as one writes it for grpc-js. It knows nothing of Koala. */
import { setTimeout } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import type {
  InputRequest,
  InputResponse,
  OutputRequest,
  PayloadResponse,
  SimpleRequest,
} from "./definition.ts";

const initialKey = "x-grpc-test-echo-initial";
const trailingKey = "x-grpc-test-echo-trailing-bin";

/** The initial metadata goes at once; the trailing one is given back. */
function echoMetadata(call: {
  metadata: grpc.Metadata;
  sendMetadata(metadata: grpc.Metadata): void;
}): grpc.Metadata {
  const initial = new grpc.Metadata();
  for (const value of call.metadata.get(initialKey)) initial.add(initialKey, value);
  if (call.metadata.get(initialKey).length > 0) call.sendMetadata(initial);
  const trailing = new grpc.Metadata();
  for (const value of call.metadata.get(trailingKey)) trailing.add(trailingKey, value);
  return trailing;
}

async function sendAll(
  call: { write(message: PayloadResponse): boolean; cancelled: boolean },
  { responseParameters = [] }: OutputRequest,
): Promise<void> {
  for (const { size = 0, intervalUs = 0 } of responseParameters) {
    if (intervalUs > 0) await setTimeout(intervalUs / 1000);
    if (call.cancelled) return;
    call.write({ payload: { body: Buffer.alloc(size) } });
  }
}

/** The implementation of `grpc.testing.TestService`. */
export const grpcService: grpc.UntypedServiceImplementation = {
  emptyCall(_call: grpc.ServerUnaryCall<object, object>, reply: grpc.sendUnaryData<object>) {
    reply(null, {});
  },
  unaryCall(
    call: grpc.ServerUnaryCall<SimpleRequest, PayloadResponse>,
    reply: grpc.sendUnaryData<PayloadResponse>,
  ) {
    const trailing = echoMetadata(call);
    const { responseStatus, responseSize = 0 } = call.request;
    if (responseStatus != null && responseStatus.code !== 0) {
      const { code, message } = responseStatus;
      reply({ code, details: message, metadata: trailing });
      return;
    }
    reply(null, { payload: { body: Buffer.alloc(responseSize) } }, trailing);
  },
  streamingInputCall(
    call: grpc.ServerReadableStream<InputRequest, InputResponse>,
    reply: grpc.sendUnaryData<InputResponse>,
  ) {
    const trailing = echoMetadata(call);
    let aggregatedPayloadSize = 0;
    call.on("data", ({ payload }: InputRequest) => {
      aggregatedPayloadSize += payload?.body.length ?? 0;
    });
    call.on("end", () => reply(null, { aggregatedPayloadSize }, trailing));
  },
  async streamingOutputCall(call: grpc.ServerWritableStream<OutputRequest, PayloadResponse>) {
    const trailing = echoMetadata(call);
    await sendAll(call, call.request);
    call.end(trailing);
  },
  fullDuplexCall(call: grpc.ServerDuplexStream<OutputRequest, PayloadResponse>) {
    const trailing = echoMetadata(call);
    let sent = Promise.resolve();
    call.on("data", (request: OutputRequest) => {
      const { responseStatus } = request;
      if (responseStatus != null && responseStatus.code !== 0) {
        const { code, message } = responseStatus;
        call.emit("error", { code, details: message, metadata: trailing });
        return;
      }
      sent = sent.then(() => sendAll(call, request));
    });
    call.on("end", () => void sent.then(() => call.end(trailing)));
  },
  async halfDuplexCall(call: grpc.ServerDuplexStream<OutputRequest, PayloadResponse>) {
    const requests: OutputRequest[] = [];
    for await (const request of call) requests.push(request as OutputRequest);
    for (const request of requests) await sendAll(call, request);
    call.end();
  },
};
