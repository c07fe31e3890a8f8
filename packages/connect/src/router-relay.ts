/**
 * Routers that exist already. Their handlers know bytes of a protocol of HTTP only, so they are called in those, within
 * the process, by the transports of connect-es.
 */
import type { DescMethod, DescMethodStreaming, DescMethodUnary } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type HandlerContext,
  type MethodImpl,
  type Transport,
} from "@connectrpc/connect";
import {
  type CommonTransportOptions,
  createAsyncIterable,
  type UniversalClientFn,
  type UniversalHandler,
} from "@connectrpc/connect/protocol";
import { createTransport as createConnectTransport } from "@connectrpc/connect/protocol-connect";
import { createTransport as createGrpcTransport } from "@connectrpc/connect/protocol-grpc";
import { createTransport as createGrpcWebTransport } from "@connectrpc/connect/protocol-grpc-web";
import { one, only } from "./handler-messages.ts";

type Messages = AsyncIterable<unknown>;
type AnyImplementation = (given: never, context: HandlerContext) => unknown;

/** Of the protocols that a handler knows, the first one here is used. */
const protocols: Readonly<Record<string, (options: CommonTransportOptions) => Transport>> = {
  connect: createConnectTransport,
  grpc: createGrpcTransport,
  "grpc-web": createGrpcWebTransport,
};

/** The largest size that connect-es knows. */
const bytesMax = 0xffffffff;

/** Routes with what `router` has. */
export function routesOf(router: ConnectRouter): (target: ConnectRouter) => void {
  return (target) => {
    for (const handler of router.handlers) {
      const implementation = relayTo(handler.method, transportTo(handler));
      target.rpc(handler.method, implementation as MethodImpl<DescMethod>);
    }
  };
}

function transportTo(handler: UniversalHandler): Transport {
  const name = Object.keys(protocols).find((known) => handler.protocolNames.includes(known));
  const create = name === undefined ? undefined : protocols[name];
  if (create === undefined) {
    const text = `${handler.requestPath}: expected a handler for one of ${Object.keys(protocols).join(", ")}, found ${handler.protocolNames.join(", ")}`;
    throw new ConnectError(text, Code.InvalidArgument);
  }
  return create({
    httpClient: clientOf(handler),
    baseUrl: "https://in-memory",
    useBinaryFormat: true,
    interceptors: [],
    acceptCompression: [],
    sendCompression: null,
    compressMinBytes: bytesMax,
    readMaxBytes: bytesMax,
    writeMaxBytes: bytesMax,
  });
}

/**
 * Passes on the trailers themselves, not a copy: those of gRPC say how the call ended, and are there when the body is.
 * A call ends here when its handler does, so that a server that closes waits for it.
 */
function clientOf(handler: UniversalHandler): UniversalClientFn {
  return async ({ url, method, header, body, signal = new AbortController().signal }) => {
    const requests = body ?? createAsyncIterable<Uint8Array>([]);
    const res = await handler({ httpVersion: "2.0", url, method, header, body: requests, signal });
    return {
      status: res.status,
      header: new Headers(res.header),
      body: res.body ?? createAsyncIterable<Uint8Array>([]),
      trailer: res.trailer ?? new Headers(),
    };
  };
}

function relayTo(method: DescMethod, transport: Transport): AnyImplementation {
  const streaming = method as DescMethodStreaming;
  switch (method.methodKind) {
    case "unary":
      return async (request, context) => {
        const unary = method as DescMethodUnary;
        try {
          const { signal, requestHeader } = context;
          const timeoutMs = timeoutOf(context);
          const res = await transport.unary(unary, signal, timeoutMs, requestHeader, request);
          copyOwn(res.header, context.responseHeader);
          copyOwn(res.trailer, context.responseTrailer);
          return res.message;
        } catch (error) {
          throw ownOf(error, context);
        }
      };
    case "server_streaming":
      return (request, context) => relayStream(streaming, transport, one(request), context);
    case "client_streaming":
      return (requests, context) => only(relayStream(streaming, transport, requests, context));
    case "bidi_streaming":
      return (requests, context) => relayStream(streaming, transport, requests, context);
  }
}

async function* relayStream(
  method: DescMethodStreaming,
  transport: Transport,
  requests: Messages,
  context: HandlerContext,
): AsyncGenerator<unknown, void> {
  try {
    const { signal, requestHeader } = context;
    const timeoutMs = timeoutOf(context);
    const messages = requests as AsyncIterable<never>;
    const res = await transport.stream(method, signal, timeoutMs, requestHeader, messages);
    copyOwn(res.header, context.responseHeader);
    yield* res.message;
    copyOwn(res.trailer, context.responseTrailer);
  } catch (error) {
    throw ownOf(error, context);
  }
}

/** What is left; to transports, 0 is no limit. */
function timeoutOf(context: HandlerContext): number | undefined {
  const timeoutMs = context.timeoutMs();
  return timeoutMs === undefined ? undefined : Math.max(1, timeoutMs);
}

/** What the caller is to get of an error besides the headers that it gets anyway. */
function ownOf(error: unknown, { responseHeader }: HandlerContext): unknown {
  if (!(error instanceof ConnectError)) return error;
  for (const key of [...error.metadata.keys()]) {
    if (isProtocols(key) || responseHeader.has(key)) error.metadata.delete(key);
  }
  return error;
}

function copyOwn(from: Headers, to: Headers): void {
  for (const [key, value] of from) if (!isProtocols(key)) to.append(key, value);
}

/** Whether the field says something about the protocol, and nothing to the caller. */
function isProtocols(key: string): boolean {
  return /^(grpc|connect|content|accept)-/.test(key) || key === "trailer";
}
