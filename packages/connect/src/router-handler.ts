/** The implementation of a method, as a server of Koala runs it. */
import {
  Code,
  ConnectError,
  type HandlerContext,
  type Interceptor,
  type MethodImplSpec,
} from "@connectrpc/connect";
import {
  invokeUnaryImplementation,
  transformInvokeImplementation,
} from "@connectrpc/connect/protocol";
import type { HandlerContext as KoalaContext } from "@koala/mrpc";
import { rpcErrorFrom } from "./connect-errors.ts";
import { HandlerResults, one, only, requestsOf } from "./handler-messages.ts";
import { type MethodFacts, RouterContext } from "./router-context.ts";

/** What calls of a method of a router share. */
export interface HandlerOptions extends Omit<MethodFacts, "method"> {
  readonly interceptors: readonly Interceptor[];
  readonly maxTimeoutMs: number | undefined;
}

/** As Koala's server calls it. */
export type KoalaHandler = (given: unknown, koala: KoalaContext) => unknown;

type Messages = AsyncIterable<unknown>;

/** Without interceptors, implementations are called as they are; with them, by the code of connect-es. */
export function handlerOf(spec: MethodImplSpec, options: HandlerOptions): KoalaHandler {
  const { kind } = spec;
  const facts: MethodFacts = { ...options, method: spec.method };
  const invoke = invokerOf(spec, options);
  const open = (koala: KoalaContext): RouterContext => {
    checkTimeout(koala, options.maxTimeoutMs);
    return new RouterContext(facts, koala);
  };
  if (kind === "unary" || kind === "client_streaming") {
    return async (given, koala) => {
      const context = open(koala);
      try {
        const result = await invoke(
          kind === "unary" ? given : requestsOf(given as Messages),
          context,
        );
        context.end();
        return result;
      } catch (error) {
        context.end(error);
        throw rpcErrorFrom(error);
      }
    };
  }
  return (given, koala) => {
    const context = open(koala);
    try {
      const request = kind === "bidi_streaming" ? requestsOf(given as Messages) : given;
      return new HandlerResults(invoke(request, context) as Messages, context);
    } catch (error) {
      context.end(error);
      throw rpcErrorFrom(error);
    }
  };
}

type Invoke = (given: unknown, context: RouterContext) => unknown;

function invokerOf(spec: MethodImplSpec, { interceptors }: HandlerOptions): Invoke {
  const implementation = spec.impl as (given: unknown, context: HandlerContext) => unknown;
  if (interceptors.length === 0) return implementation;
  const chain = [...interceptors];
  switch (spec.kind) {
    case "unary":
      return (request, context) =>
        invokeUnaryImplementation(spec, context.plain(), request as never, chain);
    case "server_streaming":
      return (request, context) =>
        transformInvokeImplementation(spec, context.plain(), chain)(one(request) as never);
    case "client_streaming":
      return (requests, context) =>
        only(transformInvokeImplementation(spec, context.plain(), chain)(requests as never));
    case "bidi_streaming":
      return (requests, context) =>
        transformInvokeImplementation(spec, context.plain(), chain)(requests as never);
  }
}

function checkTimeout({ timeoutMs }: KoalaContext, maxMs: number | undefined): void {
  if (maxMs === undefined || timeoutMs === undefined || timeoutMs <= maxMs) return;
  const text = `timeout ${Math.ceil(timeoutMs)}ms must be <= ${maxMs}`;
  throw rpcErrorFrom(new ConnectError(text, Code.InvalidArgument));
}
