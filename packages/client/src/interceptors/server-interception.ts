/** Interceptors around the handlers of a service. */
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { completerFor } from "../calls/message-init.ts";
import type { HandlerContext } from "../serving/handler-context.ts";
import type { Handler } from "../serving/service-export.ts";
import type { ContextValues } from "./context-values.ts";
import { chainOf, type InterceptedCall, type Interceptor } from "./interceptor.ts";
import { iterableOf, iterableSoon, iteratorOf, onlyOne } from "./message-iterables.ts";

type Messages = AsyncIterable<Message>;

/** What interceptors may change of a context before the handler gets it. */
interface OpenContext extends HandlerContext {
  requestHeader: Headers;
  responseHeader: Headers;
  responseTrailer: Headers;
  values: ContextValues;
}

/** `handler` as it is with interceptors. */
export function interceptedHandler(
  desc: DescMethod,
  handler: Handler,
  interceptors: readonly Interceptor[],
): Handler {
  const complete = completerFor(desc.output) as (init: unknown) => Message;
  switch (desc.methodKind) {
    case "unary":
      return async (message, context) => {
        const last: InterceptedCall = async (req) => {
          open(context, req.header, req.contextValues);
          const result = await handler(req.message, context);
          return { ...responseOf(desc, context), stream: false, message: complete(result) };
        };
        const req = { ...requestOf(desc, context), stream: false, message } as const;
        const res = await chainOf(interceptors, last)({ ...req, message: message as Message });
        adopt(context, res);
        return res.message;
      };
    case "server_streaming":
      return (message, context) =>
        iterableSoon(
          runStream(
            desc,
            context,
            interceptors,
            iterableOf(message as Message),
            async (requests) => {
              const request = await onlyOne(requests, `${nameOf(desc)}: request`);
              return handler(request, context) as Messages;
            },
          ),
        );
    case "client_streaming":
      return async (messages, context) => {
        const responses = await runStream(
          desc,
          context,
          interceptors,
          messages as Messages,
          async (requests) => iterableOf((await handler(requests, context)) as Message),
        );
        return onlyOne(responses, `${nameOf(desc)}: response`);
      };
    case "bidi_streaming":
      return (messages, context) =>
        iterableSoon(
          runStream(
            desc,
            context,
            interceptors,
            messages as Messages,
            async (requests) => handler(requests, context) as Messages,
          ),
        );
  }
}

async function runStream(
  desc: DescMethod,
  context: HandlerContext,
  interceptors: readonly Interceptor[],
  message: Messages,
  handle: (requests: Messages) => Promise<Messages>,
): Promise<Messages> {
  const complete = completerFor(desc.output) as (init: unknown) => Message;
  const last: InterceptedCall = async (req) => {
    open(context, req.header, req.contextValues);
    const results = await handle(req.message as Messages);
    return { ...responseOf(desc, context), stream: true, message: mapped(results, complete) };
  };
  const res = await chainOf(
    interceptors,
    last,
  )({
    ...requestOf(desc, context),
    stream: true,
    message,
  });
  adopt(context, res);
  return res.message as Messages;
}

function requestOf(
  desc: DescMethod,
  context: HandlerContext,
): {
  service: typeof desc.parent;
  method: DescMethod;
  header: Headers;
  contextValues: ContextValues;
  signal: AbortSignal;
} {
  return {
    service: desc.parent,
    method: desc,
    header: context.requestHeader,
    contextValues: context.values,
    signal: context.signal,
  };
}

function responseOf(
  desc: DescMethod,
  context: HandlerContext,
): { service: typeof desc.parent; method: DescMethod; header: Headers; trailer: Headers } {
  return {
    service: desc.parent,
    method: desc,
    header: context.responseHeader,
    trailer: context.responseTrailer,
  };
}

/** What interceptors put into the request's place, the handler sees. */
function open(context: HandlerContext, header: Headers, values: ContextValues): void {
  const target = context as OpenContext;
  if (target.requestHeader !== header) target.requestHeader = header;
  if (target.values !== values) target.values = values;
}

/** What interceptors put into the response's place, the caller gets. */
function adopt(context: HandlerContext, res: { header: Headers; trailer: Headers }): void {
  const target = context as OpenContext;
  if (target.responseHeader !== res.header) target.responseHeader = res.header;
  if (target.responseTrailer !== res.trailer) target.responseTrailer = res.trailer;
}

function mapped(
  results: AsyncIterable<unknown> | Iterable<unknown>,
  complete: (init: unknown) => Message,
): Messages {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = iteratorOf(results);
      return {
        async next() {
          const result = await iterator.next();
          if (result.done === true) return { value: undefined, done: true };
          return { value: complete(result.value), done: false };
        },
        return: async () => {
          await iterator.return?.();
          return { value: undefined, done: true };
        },
      };
    },
  };
}

function nameOf(desc: DescMethod): string {
  return `${desc.parent.typeName}/${desc.name}`;
}
