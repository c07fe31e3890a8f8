/**
 * Calls whose messages are bytes in protobuf's encoding, for adapters of other RPC libraries. They go the way of
 * all calls; only the writer and the reader of messages are others. Interceptors of the mesh are not asked: they
 * expect messages as objects.
 *
 * @packageDocumentation
 */
import type {
  DescMethod,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
} from "@bufbuild/protobuf";
import { KoalaError, Status } from "@koala/interface";
import { startCall } from "./calls/call.ts";
import { type CallOptions, rawOptions } from "./calls/call-options.ts";
import { ClientMethod } from "./calls/client-method.ts";
import { protobufStyle } from "./calls/message-style.ts";
import { RpcError } from "./errors/rpc-error.ts";
import type { CallFunction } from "./interceptors/client-interception.ts";
import { iterableOf, iterableSoon, onlyOne } from "./interceptors/message-iterables.ts";
import { LoopbackMesh } from "./loopback/loopback.ts";
import { type Mesh, MeshConnection } from "./mesh/mesh.ts";
import type { HandlerContext } from "./serving/handler-context.ts";
import type { ServeOptions, Server } from "./serving/server.ts";
import { ServiceCollector, type ServiceRouter } from "./serving/service-router.ts";
import { startClientStream, startStream } from "./streams/stream-call.ts";

export type { MetadataEntry } from "@koala/protocol";
export type { CallOptions, EntriesListener } from "./calls/call-options.ts";
export { entriesOf, headersOf } from "./headers/header-fields.ts";
export type { HandlerContext } from "./serving/handler-context.ts";

/** Options of a raw call; entries (`metadata`, `onHeaderEntries`, `onTrailerEntries`) cost less than `Headers`. */
export type RawOptions = Omit<CallOptions, "view" | "contextValues">;

/** Calls of one service. */
export interface RawClient {
  /** A call of a unary method. Rejects with an `RpcError`. */
  unary(method: DescMethod, request: Uint8Array, options?: RawOptions): Promise<Uint8Array>;
  /**
   * A call of a method of any kind, which begins at once: one that takes a single message gets the only one of
   * `requests`, one that returns a single message gives it as the only one.
   */
  stream(
    method: DescMethod,
    requests: RawMessages,
    options?: RawOptions,
  ): AsyncIterable<Uint8Array>;
}

/** What serves a method: as with messages, and each of them bytes. */
export type RawHandler<Method extends DescMethod = DescMethod> = Method extends DescMethodUnary
  ? (request: Uint8Array, context: HandlerContext) => Uint8Array | Promise<Uint8Array>
  : Method extends DescMethodServerStreaming
    ? (request: Uint8Array, context: HandlerContext) => RawMessages
    : Method extends DescMethodClientStreaming
      ? (
          requests: AsyncIterable<Uint8Array>,
          context: HandlerContext,
        ) => Uint8Array | Promise<Uint8Array>
      : (requests: AsyncIterable<Uint8Array>, context: HandlerContext) => RawMessages;

/** A stream of messages that an app gives. */
export type RawMessages = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Handlers by the `localName` of their method. Methods that are left out answer UNIMPLEMENTED. */
export type RawHandlers<Service extends DescService = DescService> = {
  readonly [Name in keyof Service["method"]]?: RawHandler<Service["method"][Name]>;
};

/** Calls to a service that is offered as `target`. */
export function rawClient(mesh: Mesh, service: DescService, target: string): RawClient {
  const functions = functionsOf(mesh, service, target);
  const calls = new Map(service.methods.map(({ name }, index) => [name, functions[index]!]));
  const find = ({ name }: DescMethod): CallFunction => {
    const call = calls.get(name);
    if (call !== undefined) return call;
    throw new RpcError(Status.UNIMPLEMENTED, `${service.typeName} has no method ${name}`);
  };
  return {
    async unary(desc, request, options) {
      return (await find(desc)(request, options)) as Uint8Array;
    },
    stream(desc, requests, options) {
      try {
        return startAny(desc, find(desc), requests, options);
      } catch (error) {
        return iterableSoon(Promise.reject(error));
      }
    },
  };
}

/** Offers a service under a name, with handlers that take and give bytes. */
export async function rawServe<Service extends DescService>(
  mesh: Mesh,
  options: Omit<ServeOptions, "interceptors">,
  service: Service,
  handlers: RawHandlers<Service>,
): Promise<Server> {
  return await mesh.serve(options, (router) => rawService(router, service, handlers));
}

/** Adds a service with handlers that take and give bytes to a server that has others as well. */
export function rawService<Service extends DescService>(
  router: ServiceRouter,
  service: Service,
  handlers: RawHandlers<Service>,
): ServiceRouter {
  if (!(router instanceof ServiceCollector)) throw notConnected("rawService");
  router.styled(service, handlers, protobufStyle);
  return router;
}

/** The functions of the service's methods, as those of a client, for bytes. */
function functionsOf(mesh: Mesh, service: DescService, target: string): readonly CallFunction[] {
  if (mesh instanceof LoopbackMesh) return mesh.functionsOf(service, target, protobufStyle);
  if (!(mesh instanceof MeshConnection)) throw notConnected("rawClient");
  const binding = mesh.bindingOf(service, target);
  return service.methods.map((desc, index) => {
    const schema = binding.schema.methods[index]!;
    return functionOf(new ClientMethod(binding, desc, schema, protobufStyle));
  });
}

function functionOf(method: ClientMethod): CallFunction {
  switch (method.schema.kind) {
    case "unary":
      return (request, options) => startCall(method, request, rawOptions(options));
    case "client_streaming":
      return (requests, options) =>
        startClientStream(method, requests as RawMessages, rawOptions(options));
    default:
      return (given, options) => startStream(method, given, rawOptions(options));
  }
}

function startAny(
  desc: DescMethod,
  call: CallFunction,
  requests: RawMessages,
  options: RawOptions | undefined,
): AsyncIterable<Uint8Array> {
  switch (desc.methodKind) {
    case "bidi_streaming":
      return call(requests, options) as AsyncIterable<Uint8Array>;
    case "client_streaming":
      return iterableSoon(one(call(requests, options) as Promise<unknown>));
    case "unary":
      return iterableSoon(
        one(only(desc, requests).then((each) => call(each, options) as Promise<unknown>)),
      );
    case "server_streaming":
      return iterableSoon(
        only(desc, requests).then((each) => call(each, options) as AsyncIterable<Uint8Array>),
      );
  }
}

function only({ parent, name }: DescMethod, requests: RawMessages): Promise<Uint8Array> {
  return onlyOne(requests, `${parent.typeName}/${name}: requests`);
}

async function one(reply: Promise<unknown>): Promise<AsyncIterable<Uint8Array>> {
  return iterableOf((await reply) as Uint8Array);
}

function notConnected(what: string): KoalaError {
  return new KoalaError(
    "ERR_RAW_MESH",
    `${what}: expected what connect() or loopback() of this copy of @koala/mrpc made, found another object`,
  );
}
