/** gRPC's interoperability service as one writes it for Koala. */
import { setTimeout } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type HandlerContext,
  type Mesh,
  RpcError,
  type Server,
  type ServiceImpl,
  type Status,
} from "@koala/mrpc";
import type {
  EchoStatus,
  StreamingOutputCallRequest,
  StreamingOutputCallResponseSchema,
} from "../gen/grpc/testing/messages_pb.ts";
import { TestService } from "../gen/grpc/testing/test_pb.ts";

type OutputResponse = MessageInitShape<typeof StreamingOutputCallResponseSchema>;

const initialKey = "x-grpc-test-echo-initial";
const trailingKey = "x-grpc-test-echo-trailing-bin";

function echoMetadata(context: HandlerContext): void {
  const { metadata } = context;
  context.responseHeaderMetadata = metadata.filter(([key]) => key === initialKey);
  context.responseMetadata = metadata.filter(([key]) => key === trailingKey);
  context.sendHeader();
}

function failIfTold(status: EchoStatus | undefined): void {
  if (status !== undefined && status.code !== 0) {
    throw new RpcError(status.code as Status, status.message);
  }
}

async function* responsesTo(
  { responseParameters }: StreamingOutputCallRequest,
  signal: AbortSignal,
): AsyncGenerator<OutputResponse> {
  for (const { size, intervalUs } of responseParameters) {
    if (intervalUs > 0) await setTimeout(intervalUs / 1000, undefined, { signal });
    yield { payload: { body: new Uint8Array(size) } };
  }
}

/** The implementation of `grpc.testing.TestService`. */
export const nativeService: ServiceImpl<typeof TestService> = {
  emptyCall: () => ({}),
  unaryCall({ responseSize, responseStatus }, context) {
    echoMetadata(context);
    failIfTold(responseStatus);
    return { payload: { body: new Uint8Array(responseSize) } };
  },
  async streamingInputCall(requests, context) {
    echoMetadata(context);
    let aggregatedPayloadSize = 0;
    for await (const { payload } of requests) aggregatedPayloadSize += payload?.body.length ?? 0;
    return { aggregatedPayloadSize };
  },
  async *streamingOutputCall(request, context) {
    echoMetadata(context);
    yield* responsesTo(request, context.signal);
  },
  async *fullDuplexCall(requests, context) {
    echoMetadata(context);
    for await (const request of requests) {
      failIfTold(request.responseStatus);
      yield* responsesTo(request, context.signal);
    }
  },
  async *halfDuplexCall(requests, context) {
    const all: StreamingOutputCallRequest[] = [];
    for await (const request of requests) all.push(request);
    for (const request of all) yield* responsesTo(request, context.signal);
  },
};

/** Offers it as `interop`, or under another name. */
export function serveInterop(mesh: Mesh, name: string = "interop"): Promise<Server> {
  return mesh.serve({ name }, (router) => router.service(TestService, nativeService));
}
