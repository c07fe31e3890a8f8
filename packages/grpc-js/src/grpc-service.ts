/** A service implementation of grpc-js as the handlers of a raw service. */
import type { DescService } from "@bufbuild/protobuf";
import type {
  ServerInterceptingCallInterface,
  ServerInterceptor,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { Status } from "@koala/interface";
import type { HandlerContext, RawHandler, RawHandlers } from "@koala/mrpc/raw";
import { type AnyHandler, runHandler } from "./run-handler.ts";
import { type AnyServerMethod, type Requests, ServerCall } from "./server-call.ts";
import { methodOf } from "./service-descriptor.ts";

/** A definition and what implements it, as `addService` of grpc-js takes them. */
export type GrpcService = readonly [ServiceDefinition, UntypedServiceImplementation];

/** What is common to the services of a server. */
export interface GrpcServiceOptions {
  /** What the server is called in the mesh. */
  readonly name: string;
  readonly interceptors: readonly ServerInterceptor[];
  /** The calls that are running. */
  readonly running: Set<ServerCall>;
}

/** Handlers by the `localName` of their method. */
export function handlersOf(
  desc: DescService,
  [definition, implementation]: GrpcService,
  options: GrpcServiceOptions,
): RawHandlers {
  const handlers: Record<string, RawHandler> = {};
  for (const [key, method] of Object.entries(definition)) {
    const own =
      implementation[key] ??
      (method.originalName === undefined ? undefined : implementation[method.originalName]);
    const handler =
      own === undefined ? notImplemented(method) : (own.bind(implementation) as AnyHandler);
    handlers[methodOf(desc, method).localName] = rawHandler(handler, method, options);
  }
  return handlers;
}

function rawHandler(
  handler: AnyHandler,
  method: AnyServerMethod,
  { name, interceptors, running }: GrpcServiceOptions,
): RawHandler {
  const onEnd = (call: ServerCall): void => void running.delete(call);
  const start = (requests: Requests, context: HandlerContext): ServerCall => {
    const bottom = new ServerCall(name, method, requests, context, onEnd);
    running.add(bottom);
    try {
      let call: ServerInterceptingCallInterface = bottom;
      for (const interceptor of interceptors) call = interceptor(method, call);
      runHandler(handler, method, call, context);
    } catch (error) {
      // Of an interceptor: the caller gets what the mesh makes of an error that a handler throws.
      running.delete(bottom);
      throw error;
    }
    return bottom;
  };
  const startAny = (given: unknown, context: HandlerContext): ServerCall => {
    if (!method.requestStream) return start([given as Uint8Array][Symbol.iterator](), context);
    return start((given as AsyncIterable<Uint8Array>)[Symbol.asyncIterator](), context);
  };
  const raw = method.responseStream
    ? (given: unknown, context: HandlerContext) => startAny(given, context).results
    : (given: unknown, context: HandlerContext) => startAny(given, context).result();
  return raw as RawHandler;
}

/** The answer of methods that the implementation leaves out. */
function notImplemented({ path, responseStream }: AnyServerMethod): AnyHandler {
  const error = { code: Status.UNIMPLEMENTED, details: `${path} is not implemented` };
  return (call, callback) => {
    if (responseStream) (call as NodeJS.EventEmitter).emit("error", error);
    else callback?.(error);
  };
}
