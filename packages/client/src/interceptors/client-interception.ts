/** Interceptors around the functions of a client. */
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { Status } from "@koala/interface";
import type { CallOptions } from "../calls/call-options.ts";
import { joinedSignal } from "../calls/joined-signal.ts";
import { completerFor } from "../calls/message-init.ts";
import { valueError } from "../errors/rpc-error.ts";
import { entriesOf, entriesOfInit, headersOf } from "../headers/header-fields.ts";
import { isIterable } from "../streams/stream-outlet.ts";
import { createContextValues } from "./context-values.ts";
import {
  chainOf,
  type Interceptor,
  type StreamRequest,
  type StreamResponse,
  type UnaryRequest,
  type UnaryResponse,
} from "./interceptor.ts";
import { iterableOf, iterableSoon, onlyOne } from "./message-iterables.ts";

/** A function of a client, whatever it takes and gives. */
export type CallFunction = (request: unknown, options?: CallOptions) => unknown;

type Messages = AsyncIterable<Message>;

/** `direct`, the function of a client without interceptors, as it is with them. */
export function intercepted(
  desc: DescMethod,
  direct: CallFunction,
  interceptors: readonly Interceptor[],
): CallFunction {
  const complete = completerFor(desc.input) as (init: unknown) => Message;
  switch (desc.methodKind) {
    case "unary":
      return async (request, options = {}) => {
        const message = completed(desc, complete, request);
        const call = new OutgoingCall(desc, direct, options);
        return (await call.run(interceptors, message)).message;
      };
    case "server_streaming":
      return (request, options = {}) => {
        const call = new OutgoingCall(desc, direct, options);
        // A request that is none fails the call, not this function.
        const requests = iterableSoon(
          (async () => iterableOf(completed(desc, complete, request)))(),
        );
        return iterableSoon(call.runStream(interceptors, requests), () => call.leave());
      };
    case "client_streaming":
      return async (requests, options = {}) => {
        if (!isIterable(requests)) return direct(requests, options);
        const call = new OutgoingCall(desc, direct, options);
        const messages = completedAll(desc, complete, requests);
        return onlyOne(await call.runStream(interceptors, messages), nameOf(desc));
      };
    case "bidi_streaming":
      return (requests, options = {}) => {
        if (!isIterable(requests)) return direct(requests, options);
        const call = new OutgoingCall(desc, direct, options);
        const messages = completedAll(desc, complete, requests);
        return iterableSoon(call.runStream(interceptors, messages), () => call.leave());
      };
  }
}

class OutgoingCall {
  private readonly desc: DescMethod;
  private readonly direct: CallFunction;
  private readonly options: CallOptions;
  /** The caller's, and aborted when it leaves before there is a response. */
  private readonly signal: AbortSignal;
  private readonly left = new AbortController();
  private hasResponse = false;
  /** The server has sent headers, with or without entries. */
  private hasHeader = false;
  private trailer: Headers | null = null;

  constructor(desc: DescMethod, direct: CallFunction, options: CallOptions) {
    this.desc = desc;
    this.direct = direct;
    this.options = options;
    const { signal } = options;
    this.signal = signal === undefined ? this.left.signal : joinedSignal(signal, this.left.signal);
  }

  /** The caller wants no response any more. */
  leave(): void {
    this.left.abort();
  }

  async run(interceptors: readonly Interceptor[], message: Message): Promise<UnaryResponse> {
    try {
      const chain = chainOf(interceptors, (req) => this.last(req));
      const res = await chain({ ...this.base(), stream: false, message });
      this.hasResponse = true;
      this.giveHeaders(res.header);
      this.giveTrailers(res.trailer);
      return res as UnaryResponse;
    } catch (error) {
      this.giveTrailersOfFailure();
      throw error;
    }
  }

  async runStream(interceptors: readonly Interceptor[], message: Messages): Promise<Messages> {
    try {
      const chain = chainOf(interceptors, (req) => this.last(req));
      const res = (await chain({ ...this.base(), stream: true, message })) as StreamResponse;
      this.hasResponse = true;
      this.giveHeaders(res.header);
      return this.withTrailers(res);
    } catch (error) {
      this.giveTrailersOfFailure();
      throw error;
    }
  }

  private base(): Omit<UnaryRequest, "stream" | "message"> {
    const { desc, options, signal } = this;
    const entries = [...(options.metadata ?? [])];
    if (options.headers !== undefined) entries.push(...entriesOfInit(options.headers));
    return {
      service: desc.parent,
      method: desc,
      header: headersOf(entries),
      contextValues: options.contextValues ?? createContextValues(),
      signal,
    };
  }

  /** What is behind the innermost interceptor: the call. */
  private async last(req: UnaryRequest | StreamRequest): Promise<UnaryResponse | StreamResponse> {
    const { desc } = this;
    let header = new Headers();
    const trailer = new Headers();
    this.trailer = trailer;
    let onHeaders: () => void = () => {};
    const headersCame = new Promise<void>((resolve) => {
      onHeaders = resolve;
    });
    const options: CallOptions = {
      ...this.options,
      metadata: undefined,
      headers: req.header,
      signal: req.signal,
      onHeader: (headers) => {
        header = headers;
        this.hasHeader = true;
        onHeaders();
      },
      onTrailer: (trailers) => {
        for (const [key, value] of trailers) trailer.append(key, value);
      },
      onHeaderEntries: undefined,
      onTrailerEntries: undefined,
    };
    const base = { service: desc.parent, method: desc, trailer };
    if (!req.stream) {
      const message = (await this.direct(req.message, options)) as Message;
      return { ...base, stream: false, message, header };
    }
    if (desc.methodKind === "client_streaming") {
      const message = (await this.direct(req.message, options)) as Message;
      return { ...base, stream: true, message: iterableOf(message), header };
    }
    const request =
      desc.methodKind === "server_streaming"
        ? await onlyOne(req.message, `${nameOf(desc)}: request`)
        : req.message;
    const iterator = (this.direct(request, options) as Messages)[Symbol.asyncIterator]();
    const first = iterator.next();
    // A failure is for the reader, unless it comes before the headers.
    await Promise.race([headersCame, first]);
    return { ...base, stream: true, message: behind(first, iterator), header };
  }

  private giveHeaders(header: Headers): void {
    const { onHeader, onHeaderEntries } = this.options;
    if (onHeader === undefined && onHeaderEntries === undefined) return;
    const entries = entriesOf(header);
    if (entries.length === 0 && !this.hasHeader) return;
    onHeaderEntries?.(entries);
    onHeader?.(header);
  }

  private giveTrailers(trailer: Headers): void {
    const { onTrailer, onTrailerEntries } = this.options;
    if (onTrailer === undefined && onTrailerEntries === undefined) return;
    const entries = entriesOf(trailer);
    if (entries.length === 0) return;
    onTrailerEntries?.(entries);
    onTrailer?.(trailer);
  }

  private giveTrailersOfFailure(): void {
    if (!this.hasResponse && this.trailer !== null) this.giveTrailers(this.trailer);
  }

  /** Gives the trailers before the end of the messages. */
  private withTrailers(res: StreamResponse): Messages {
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.giveTrailers(res.trailer);
      isOver = true;
    };
    return {
      [Symbol.asyncIterator]: () => {
        const iterator = res.message[Symbol.asyncIterator]();
        return {
          async next() {
            try {
              const result = await iterator.next();
              if (result.done === true) end();
              return result;
            } catch (error) {
              end();
              throw error;
            }
          },
          return: async () => (await iterator.return?.()) ?? { value: undefined, done: true },
        };
      },
    };
  }
}

/** The rest of an iterator whose first result has been asked for. */
function behind(
  first: Promise<IteratorResult<Message>>,
  iterator: AsyncIterator<Message>,
): Messages {
  let asked: Promise<IteratorResult<Message>> | null = first;
  return {
    [Symbol.asyncIterator]: () => ({
      next() {
        const result = asked ?? iterator.next();
        asked = null;
        return result;
      },
      return: async () => (await iterator.return?.()) ?? { value: undefined, done: true },
    }),
  };
}

async function* completedAll(
  desc: DescMethod,
  complete: (init: unknown) => Message,
  requests: AsyncIterable<unknown> | Iterable<unknown>,
): Messages {
  for await (const request of requests) yield completed(desc, complete, request);
}

function completed(
  desc: DescMethod,
  complete: (init: unknown) => Message,
  request: unknown,
): Message {
  try {
    return complete(request);
  } catch (cause) {
    throw valueError(Status.INVALID_ARGUMENT, `${nameOf(desc)}: request`, cause);
  }
}

function nameOf(desc: DescMethod): string {
  return `${desc.parent.typeName}/${desc.name}`;
}
