/** One call to a server of gRPC. */
import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import { Status, statusFrom } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import type { MetadataEntry } from "@koala/protocol";
import { headersFrom, metadataOf } from "../http/headers.ts";
import { encodingFrom } from "../ingress/compression.ts";
import { EnvelopeReader, enveloped } from "../ingress/envelope-reader.ts";
import { decodeStatusMessage } from "../ingress/status-message.ts";
import type { UpstreamSession } from "./upstream-session.ts";

export interface UpstreamCallOptions {
  readonly metadata: readonly MetadataEntry[];
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
  /** Largest message of a response. */
  readonly messageBytes: number;
  readonly onHeader: (entries: MetadataEntry[]) => void;
  readonly onTrailer: (entries: MetadataEntry[]) => void;
}

/** Calls, and gives the messages of the response; throws an `RpcError` when the call fails. */
export async function* callUpstream(
  session: UpstreamSession,
  path: string,
  requests: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: UpstreamCallOptions,
): AsyncGenerator<Uint8Array> {
  const stream = await session.request(headersOf(path, options));
  const end = new UpstreamEnd(stream);
  const onAbort = (): void => stream.close(constants.NGHTTP2_CANCEL);
  options.signal.addEventListener("abort", onAbort);
  if (options.signal.aborted) onAbort();
  const sent = send(stream, requests);
  try {
    const headers = await end.response;
    if (headers !== undefined) {
      const problem = problemOf(headers);
      if (problem !== undefined) throw problem;
      if (headers["grpc-status"] === undefined) {
        options.onHeader(metadataOf(headers));
        const reader = new EnvelopeReader({
          body: stream,
          encoding: encodingFrom(headers["grpc-encoding"] as string | undefined),
          bytesMax: options.messageBytes,
          malformed: Status.INTERNAL,
          isText: false,
          stallMs: 0,
        });
        try {
          for await (const message of reader) yield message;
        } catch (error) {
          // How the stream ended says more than that it did.
          if (!stream.destroyed) throw error;
        }
      }
    }
    if (headers?.["grpc-status"] !== undefined) stream.resume();
    await end.closed;
    finish(session, stream, { ...headers, ...end.trailers }, sent.problem, options);
  } finally {
    options.signal.removeEventListener("abort", onAbort);
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
  }
}

/** How a response comes, for those who wait for it. */
class UpstreamEnd {
  trailers: IncomingHttpHeaders = {};
  /** Undefined when there is none. */
  readonly response: Promise<IncomingHttpHeaders | undefined>;
  readonly closed: Promise<void>;

  constructor(stream: ClientHttp2Stream) {
    stream.on("error", () => {});
    stream.once("trailers", (trailers) => {
      this.trailers = trailers;
    });
    this.response = new Promise((resolve) => {
      stream.once("response", resolve);
      stream.once("close", () => resolve(undefined));
    });
    this.closed = new Promise((resolve) => stream.once("close", resolve));
  }
}

function headersOf(
  path: string,
  { metadata, timeoutMs }: UpstreamCallOptions,
): OutgoingHttpHeaders {
  const timeout = timeoutMs === undefined ? {} : { "grpc-timeout": timeoutText(timeoutMs) };
  return {
    "user-agent": "koala-gateway",
    ...headersFrom(metadata),
    ...timeout,
    ":path": path,
    te: "trailers",
    "content-type": "application/grpc",
    "grpc-accept-encoding": "gzip",
  };
}

/** Up to 8 digits and a unit. */
function timeoutText(timeoutMs: number): string {
  const ms = Math.max(1, Math.ceil(timeoutMs));
  return ms <= 99_999_999 ? `${ms}m` : `${Math.min(99_999_999, Math.ceil(ms / 1000))}S`;
}

/** Sends the messages of a request as they come, and as there is room. */
function send(
  stream: ClientHttp2Stream,
  requests: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): { problem: unknown } {
  const state: { problem: unknown } = { problem: undefined };
  const run = async (): Promise<void> => {
    for await (const request of requests) {
      if (stream.destroyed || stream.closed) return;
      if (!stream.write(enveloped(0, request))) await drained(stream);
    }
    stream.end();
  };
  run().catch((error: unknown) => {
    state.problem = error;
    stream.close(constants.NGHTTP2_CANCEL);
  });
  return state;
}

function drained(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || !stream.writableNeedDrain) return resolve();
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
  });
}

/** Why a response is none of gRPC; undefined when it is one. */
function problemOf(headers: IncomingHttpHeaders): RpcError | undefined {
  const httpStatus = Number(headers[":status"]);
  const type = headers["content-type"] ?? "";
  if (httpStatus === 200 && type.startsWith("application/grpc")) return undefined;
  if (headers["grpc-status"] !== undefined) return undefined;
  const text = `expected a response of gRPC, found the HTTP status ${httpStatus} and the type ${JSON.stringify(type)}`;
  return new RpcError(statusOfHttp(httpStatus), text);
}

/** gRPC's table for servers, or what is in front of them, that answer in HTTP's words only. */
function statusOfHttp(httpStatus: number): Status {
  switch (httpStatus) {
    case 400:
      return Status.INTERNAL;
    case 401:
      return Status.UNAUTHENTICATED;
    case 403:
      return Status.PERMISSION_DENIED;
    case 404:
      return Status.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return Status.UNAVAILABLE;
    default:
      return Status.UNKNOWN;
  }
}

/** The end of the call: returns when it went well, throws what it failed with. */
function finish(
  session: UpstreamSession,
  stream: ClientHttp2Stream,
  headers: IncomingHttpHeaders,
  problem: unknown,
  { signal, onTrailer }: UpstreamCallOptions,
): void {
  const code = headers["grpc-status"];
  if (code === undefined) {
    if (problem !== undefined) throw problem;
    if (signal.aborted) throw new RpcError(Status.CANCELLED, "the caller has cancelled the call");
    throw resetError(session, stream.rstCode);
  }
  const trailers = metadataOf(headers);
  const status = /^\d{1,2}$/.test(String(code)) ? statusFrom(Number(code)) : Status.UNKNOWN;
  if (status === Status.OK) {
    onTrailer(trailers);
    return;
  }
  const details = headers["grpc-status-details-bin"];
  throw new RpcError(status, decodeStatusMessage(String(headers["grpc-message"] ?? "")), {
    metadata: trailers,
    ...(typeof details === "string" ? { details: Buffer.from(details, "base64") } : {}),
  });
}

/** gRPC's table for streams that were reset. */
function resetError(session: UpstreamSession, code: number): RpcError {
  const text = `the server at ${session.authority} has reset the call (HTTP/2 code ${code})`;
  switch (code) {
    case constants.NGHTTP2_CANCEL:
      return new RpcError(Status.CANCELLED, text);
    case constants.NGHTTP2_REFUSED_STREAM:
      return new RpcError(Status.UNAVAILABLE, text);
    case constants.NGHTTP2_ENHANCE_YOUR_CALM:
      return new RpcError(Status.RESOURCE_EXHAUSTED, text);
    case constants.NGHTTP2_INADEQUATE_SECURITY:
      return new RpcError(Status.PERMISSION_DENIED, text);
    case constants.NGHTTP2_NO_ERROR:
      return session.unavailable("the connection ended in the middle of the call");
    default:
      return new RpcError(Status.INTERNAL, text);
  }
}
