/**
 * Interceptors: plain functions around calls, on both sides, with the shapes of Connect.
 *
 * ```ts
 * const timed: Interceptor = (next) => async (req) => {
 *   const startedAt = performance.now();
 *   const res = await next(req);
 *   histogram.record(req.method.name, performance.now() - startedAt);
 *   return res;
 * };
 * ```
 */
import type { DescMethod, DescService, Message } from "@bufbuild/protobuf";
import type { ContextValues } from "./context-values.ts";

interface RequestBase {
  readonly service: DescService;
  readonly method: DescMethod;
  /** The caller's headers; what is set here, those behind see. */
  readonly header: Headers;
  /** What interceptors tell each other, and on the server's side the handler. */
  readonly contextValues: ContextValues;
  /** Of the caller: aborted when it gives up. Of the server: that of the handler's context. */
  readonly signal: AbortSignal;
}

/** The request of a unary call. */
export interface UnaryRequest extends RequestBase {
  readonly stream: false;
  readonly message: Message;
}

/** The requests of a call of another kind, also where there is one only. */
export interface StreamRequest extends RequestBase {
  readonly stream: true;
  readonly message: AsyncIterable<Message>;
}

interface ResponseBase {
  readonly service: DescService;
  readonly method: DescMethod;
  readonly header: Headers;
  /** Complete when the last message has come. */
  readonly trailer: Headers;
}

/** The response of a unary call. */
export interface UnaryResponse extends ResponseBase {
  readonly stream: false;
  readonly message: Message;
}

/** The responses of a call of another kind, also where there is one only. */
export interface StreamResponse extends ResponseBase {
  readonly stream: true;
  readonly message: AsyncIterable<Message>;
}

/** Answers a request; throws what the caller gets as an `RpcError`. */
export type InterceptedCall = (
  req: UnaryRequest | StreamRequest,
) => Promise<UnaryResponse | StreamResponse>;

/** Gets what is behind it and gives what is to be called in its stead. The first one of a list is outermost. */
export type Interceptor = (next: InterceptedCall) => InterceptedCall;

/** All interceptors around `last`. */
export function chainOf(
  interceptors: readonly Interceptor[],
  last: InterceptedCall,
): InterceptedCall {
  return interceptors.reduceRight((next, interceptor) => interceptor(next), last);
}
