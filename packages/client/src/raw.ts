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
import { startCall } from "./call.ts";
import { type CallOptions, rawOptions } from "./call-options.ts";
import { ClientMethod } from "./client-method.ts";
import type { HandlerContext } from "./handler-context.ts";
import { type Mesh, MeshConnection } from "./mesh.ts";
import { iterableOf, iterableSoon, onlyOne } from "./message-iterables.ts";
import { protobufStyle } from "./message-style.ts";
import { RpcError } from "./rpc-error.ts";
import type { ServeOptions, Server } from "./server.ts";
import { ServiceCollector, type ServiceRouter } from "./service-router.ts";
import { startClientStream, startStream } from "./stream-call.ts";

export type { MetadataEntry } from "@koala/protocol";
export type { CallOptions, EntriesListener } from "./call-options.ts";
export type { HandlerContext } from "./handler-context.ts";
export { entriesOf, headersOf } from "./header-fields.ts";

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
  if (!(mesh instanceof MeshConnection)) throw notConnected("rawClient");
  const binding = mesh.bindingOf(service, target);
  const methods = new Map(
    service.methods.map((desc, index) => {
      const schema = binding.schema.methods[index]!;
      return [desc.name, new ClientMethod(binding, desc, schema, protobufStyle)] as const;
    }),
  );
  const find = ({ name }: DescMethod): ClientMethod => {
    const method = methods.get(name);
    if (method !== undefined) return method;
    throw new RpcError(Status.UNIMPLEMENTED, `${service.typeName} has no method ${name}`);
  };
  return {
    async unary(desc, request, options) {
      return (await startCall(find(desc), request, rawOptions(options))) as Uint8Array;
    },
    stream(desc, requests, options) {
      try {
        return startAny(find(desc), requests, options);
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

function startAny(
  method: ClientMethod,
  requests: RawMessages,
  options: RawOptions | undefined,
): AsyncIterable<Uint8Array> {
  const { kind } = method.schema;
  const raw = rawOptions(options);
  switch (kind) {
    case "bidi_streaming":
      return startStream(method, requests, raw) as AsyncIterable<Uint8Array>;
    case "client_streaming":
      return iterableSoon(one(startClientStream(method, requests, raw)));
    case "unary":
      return iterableSoon(one(only(method, requests).then((each) => startCall(method, each, raw))));
    case "server_streaming":
      return iterableSoon(
        only(method, requests).then(
          (each) => startStream(method, each, raw) as AsyncIterable<Uint8Array>,
        ),
      );
  }
}

function only(method: ClientMethod, requests: RawMessages): Promise<Uint8Array> {
  return onlyOne(requests, `${method.name}: requests`);
}

async function one(reply: Promise<unknown>): Promise<AsyncIterable<Uint8Array>> {
  return iterableOf((await reply) as Uint8Array);
}

function notConnected(what: string): KoalaError {
  return new KoalaError(
    "ERR_RAW_MESH",
    `${what}: expected what connect() of this copy of @koala/mrpc made, found another object`,
  );
}
