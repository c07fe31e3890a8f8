/** gRPC's interoperability service, and failures with details, as one writes them for connect-es. They know nothing of Koala. */
import { setTimeout } from "node:timers/promises";
import {
  type Code,
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
} from "@connectrpc/connect";
import type { EchoStatus, StreamingOutputCallRequest } from "../gen/grpc/testing/messages_pb.ts";
import { TestService } from "../gen/grpc/testing/test_pb.ts";
import { FailureSchema, Probe } from "../gen/test/v1/probe_pb.ts";

type Reply = { payload: { body: Uint8Array } };

const initialKey = "x-grpc-test-echo-initial";
const trailingKey = "x-grpc-test-echo-trailing-bin";

function echoMetadata({ requestHeader, responseHeader, responseTrailer }: HandlerContext): void {
  const initial = requestHeader.get(initialKey);
  const trailing = requestHeader.get(trailingKey);
  if (initial !== null) responseHeader.set(initialKey, initial);
  if (trailing !== null) responseTrailer.set(trailingKey, trailing);
}

function failIfTold(status: EchoStatus | undefined): void {
  if (status !== undefined && status.code !== 0) {
    throw new ConnectError(status.message, status.code as Code);
  }
}

async function* repliesTo({
  responseParameters,
}: StreamingOutputCallRequest): AsyncGenerator<Reply> {
  for (const { size, intervalUs } of responseParameters) {
    if (intervalUs > 0) await setTimeout(intervalUs / 1000);
    yield { payload: { body: new Uint8Array(size) } };
  }
}

/** As `connectNodeAdapter` takes them. */
export function connectRoutes(router: ConnectRouter): void {
  router.service(TestService, {
    emptyCall: () => ({}),
    unaryCall({ responseSize, responseStatus }, context) {
      echoMetadata(context);
      failIfTold(responseStatus);
      return { payload: { body: new Uint8Array(responseSize) } };
    },
    streamingOutputCall: (request) => repliesTo(request),
    async streamingInputCall(requests) {
      let aggregatedPayloadSize = 0;
      for await (const { payload } of requests) aggregatedPayloadSize += payload?.body.length ?? 0;
      return { aggregatedPayloadSize };
    },
    async *fullDuplexCall(requests, context) {
      echoMetadata(context);
      for await (const request of requests) {
        failIfTold(request.responseStatus);
        yield* repliesTo(request);
      }
    },
  });
  router.service(Probe, {
    fail(value) {
      const metadata = { "x-reason": "told to" };
      const detail = { desc: FailureSchema, value };
      throw new ConnectError(value.message, value.status as Code, metadata, [detail]);
    },
  });
}
