/** What each protocol makes of a request: who writes the response, and how the messages are read. */
import type { DescMethod } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { Status } from "@koala/interface";
import type { CatalogService } from "../describe/service-catalog.ts";
import type { Exchange } from "../http/exchange.ts";
import { Http2Exchange } from "../http/http2-exchange.ts";
import { BodyReader, givenMessage } from "./body-reader.ts";
import { acceptsGzip, decompress, type Encoding, encodingFrom } from "./compression.ts";
import { getRequestOf } from "./connect-get.ts";
import { ConnectStreamResponder } from "./connect-stream-responder.ts";
import { ConnectUnaryResponder } from "./connect-unary-responder.ts";
import type { ContentType } from "./content-type.ts";
import { EnvelopeReader } from "./envelope-reader.ts";
import { GrpcResponder } from "./grpc-responder.ts";
import { GrpcWebResponder } from "./grpc-web-responder.ts";
import { HttpRefusal } from "./http-refusal.ts";
import { jsonPayload, type PayloadCodec, protobufPayload } from "./payload-codec.ts";
import type { Responder } from "./responder.ts";
import type { CallToRun } from "./run-call.ts";
import { connectTimeoutMs, grpcTimeoutMs } from "./timeout.ts";

/** The part of a call that the protocol decides. */
export type PlannedCall = Pick<CallToRun, "codec" | "timeoutMs" | "requests">;

export interface CallPlan {
  readonly responder: Responder;
  /** Throws an `RpcError`, or an `HttpRefusal` when the method can't be called this way at all. */
  prepare(service: CatalogService, method: DescMethod): PlannedCall | Promise<PlannedCall>;
}

export interface PlanOptions {
  readonly messageBytes: number;
  readonly bodyMs: number;
  /** Headers that every response has. */
  readonly common: Record<string, string | number | string[] | undefined>;
}

/** gRPC. */
export function grpcPlan(
  exchange: Http2Exchange,
  type: ContentType,
  options: PlanOptions,
): CallPlan {
  const encoding = answered(exchange, "grpc-encoding", "grpc-accept-encoding");
  return {
    responder: new GrpcResponder(exchange, type.echoed, encoding),
    prepare: (service, method) => grpcCall(exchange, type, service, method, options),
  };
}

/** gRPC-Web, binary or text. */
export function grpcWebPlan(exchange: Exchange, type: ContentType, options: PlanOptions): CallPlan {
  const encoding = answered(exchange, "grpc-encoding", "grpc-accept-encoding");
  const isText = type.protocol === "grpc-web-text";
  const { common } = options;
  return {
    responder: new GrpcWebResponder({
      ...{ exchange, contentType: type.echoed, encoding, isText, common },
    }),
    prepare: (service, method) => grpcCall(exchange, type, service, method, options),
  };
}

function grpcCall(
  exchange: Exchange,
  type: ContentType,
  service: CatalogService,
  method: DescMethod,
  { messageBytes, bodyMs }: PlanOptions,
): PlannedCall {
  return {
    codec: codecOf(type.codec, service, method),
    timeoutMs: grpcTimeoutMs(headerOf(exchange, "grpc-timeout")),
    requests: new EnvelopeReader({
      body: exchange.body,
      encoding: encodingFrom(headerOf(exchange, "grpc-encoding")),
      bytesMax: messageBytes,
      malformed: Status.INTERNAL,
      isText: type.protocol === "grpc-web-text",
      stallMs: takesOne(method) ? bodyMs : 0,
    }),
  };
}

/** Connect for unary methods, by POST. */
export function connectUnaryPlan(
  exchange: Exchange,
  type: ContentType,
  options: PlanOptions,
): CallPlan {
  const encoding = answered(exchange, "content-encoding", "accept-encoding");
  const { common, messageBytes, bodyMs } = options;
  return {
    responder: new ConnectUnaryResponder({ exchange, contentType: type.echoed, encoding, common }),
    prepare(service, method) {
      checkKind(method, method.methodKind === "unary", "application/connect+…");
      return {
        codec: codecOf(type.codec, service, method),
        timeoutMs: connectTimeoutMs(headerOf(exchange, "connect-timeout-ms")),
        requests: new BodyReader({
          body: exchange.body,
          encoding: encodingFrom(headerOf(exchange, "content-encoding")),
          bytesMax: messageBytes,
          stallMs: bodyMs,
        }),
      };
    },
  };
}

/** Connect for unary methods without side effects, by GET. */
export function connectGetPlan(
  exchange: Exchange,
  query: URLSearchParams,
  { common, messageBytes }: PlanOptions,
): CallPlan {
  const name = query.get("encoding") === "json" ? "json" : "proto";
  const encoding: Encoding = "identity";
  const contentType = `application/${name}`;
  return {
    responder: new ConnectUnaryResponder({ exchange, contentType, encoding, common }),
    async prepare(service, method) {
      const isSafe =
        method.methodKind === "unary" && method.idempotency === Idempotency.NO_SIDE_EFFECTS;
      if (!isSafe) {
        const text = "expected POST: the method is not declared to be without side effects";
        throw new HttpRefusal(405, text, { allow: "POST" });
      }
      const request = getRequestOf(query);
      const message =
        request.encoding === "identity"
          ? request.message
          : await decompress(request.message, messageBytes, Status.INVALID_ARGUMENT);
      return {
        codec: codecOf(request.codec, service, method),
        timeoutMs: connectTimeoutMs(headerOf(exchange, "connect-timeout-ms")),
        requests: givenMessage(message),
      };
    },
  };
}

/** Connect for streams. */
export function connectStreamPlan(
  exchange: Exchange,
  type: ContentType,
  options: PlanOptions,
): CallPlan {
  const encoding = answered(exchange, "connect-content-encoding", "connect-accept-encoding");
  const { common, messageBytes, bodyMs } = options;
  return {
    responder: new ConnectStreamResponder({ exchange, contentType: type.echoed, encoding, common }),
    prepare(service, method) {
      checkKind(method, method.methodKind !== "unary", "application/proto or application/json");
      if (method.methodKind === "bidi_streaming" && !(exchange instanceof Http2Exchange)) {
        throw new HttpRefusal(505, "a method with streams in both directions needs HTTP/2", {});
      }
      return {
        codec: codecOf(type.codec, service, method),
        timeoutMs: connectTimeoutMs(headerOf(exchange, "connect-timeout-ms")),
        requests: new EnvelopeReader({
          body: exchange.body,
          encoding: encodingFrom(headerOf(exchange, "connect-content-encoding")),
          bytesMax: messageBytes,
          malformed: Status.INVALID_ARGUMENT,
          isText: false,
          stallMs: takesOne(method) ? bodyMs : 0,
        }),
      };
    },
  };
}

/** Responses are compressed for those who compress, and understand what they do. */
function answered(exchange: Exchange, given: string, accepted: string): Encoding {
  const isGiven = headerOf(exchange, given) === "gzip";
  return isGiven && acceptsGzip(exchange.headers[accepted]) ? "gzip" : "identity";
}

function codecOf(
  name: "proto" | "json",
  { registry }: CatalogService,
  method: DescMethod,
): PayloadCodec {
  return name === "json" ? jsonPayload(method, registry) : protobufPayload;
}

function checkKind(method: DescMethod, fits: boolean, expected: string): void {
  if (fits) return;
  const kind = method.methodKind.replace("_", " ");
  const text = `${method.parent.typeName}/${method.name} is ${kind}: expected the content type ${expected}`;
  throw new HttpRefusal(415, text, {});
}

function takesOne({ methodKind }: DescMethod): boolean {
  return methodKind === "unary" || methodKind === "server_streaming";
}

/** A header that can be there once only. */
export function headerOf({ headers }: Exchange, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
