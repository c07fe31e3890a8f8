/** Calls as they are without interceptors: messages of protobuf-es go into shared memory and come out of it. */
import type {
  DescMessage,
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ContextValues,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import type { CallOptions, Mesh } from "@koala/mrpc";
import { connectErrorFrom } from "./connect-errors.ts";
import { parentKey } from "./context-keys.ts";
import type { HeadersInit } from "./headers-init.ts";
import type { MeshSource } from "./mesh-source.ts";
import { ResponseMessages } from "./response-messages.ts";

/** A function of a client of the mesh, whatever it takes and gives. */
type AnyFunction = (given: unknown, options: CallOptions) => unknown;

export class DirectTransport implements Transport {
  private readonly target: string;
  private readonly source: MeshSource;
  private readonly waitForReady: boolean;
  private readonly functions = new Map<DescMethod, AnyFunction>();

  constructor(target: string, source: MeshSource, waitForReady: boolean) {
    this.target = target;
    this.source = source;
    this.waitForReady = waitForReady;
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: MessageInitShape<I>,
    contextValues?: ContextValues,
  ): Promise<UnaryResponse<I, O>> {
    const heard = new Heard();
    try {
      const options = this.optionsOf(heard, signal, timeoutMs, header, contextValues);
      const call = this.find(method) ?? (await this.connect(method, options));
      const message = (await call(input, options)) as MessageShape<O>;
      const { header: responseHeader, trailer } = heard.complete();
      const service = method.parent;
      return { stream: false, service, method, header: responseHeader, trailer, message };
    } catch (error) {
      throw failureOf(error, signal, heard);
    }
  }

  async stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    input: AsyncIterable<MessageInitShape<I>>,
    contextValues?: ContextValues,
  ): Promise<StreamResponse<I, O>> {
    const heard = new Heard();
    const toFailure = (error: unknown): ConnectError => failureOf(error, signal, heard);
    try {
      const options = this.optionsOf(heard, signal, timeoutMs, header, contextValues);
      const call = this.find(method) ?? (await this.connect(method, options));
      const message = await this.start<O>(method, call, options, input, heard, toFailure);
      const { header: responseHeader, trailer } = heard.complete();
      const service = method.parent;
      return { stream: true, service, method, header: responseHeader, trailer, message };
    } catch (error) {
      throw toFailure(error);
    }
  }

  /** The responses, once the headers or the first one are there. */
  private async start<O extends DescMessage>(
    method: DescMethodStreaming,
    call: AnyFunction,
    options: CallOptions,
    input: AsyncIterable<unknown>,
    heard: Heard,
    toFailure: (error: unknown) => ConnectError,
  ): Promise<AsyncIterable<MessageShape<O>>> {
    if (method.methodKind === "client_streaming") {
      return one((await call(input, options)) as MessageShape<O>);
    }
    const given = method.methodKind === "server_streaming" ? await onlyRequest(input) : input;
    const headerCame = new Promise<void>((resolve) => {
      heard.onHeader = resolve;
    });
    const responses = call(given, options) as AsyncIterable<MessageShape<O>>;
    const messages = new ResponseMessages(responses, toFailure);
    // A failure is for the reader, unless it comes before the headers.
    await Promise.race([headerCame, messages.first]);
    return messages;
  }

  private optionsOf(
    heard: Heard,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    contextValues: ContextValues | undefined,
  ): CallOptions {
    return {
      signal,
      timeoutMs,
      headers: header,
      onHeader: (headers) => heard.takeHeader(headers),
      onTrailer: (trailers) => heard.takeTrailer(trailers),
      parent: contextValues?.get(parentKey),
      waitForReady: this.waitForReady,
    };
  }

  /** Undefined before the connection is there. */
  private find(method: DescMethod): AnyFunction | undefined {
    const known = this.functions.get(method);
    if (known !== undefined || this.source.mesh === null) return known;
    return this.functionOn(this.source.mesh, method);
  }

  /** Connects, which takes from the time of the call. */
  private async connect(method: DescMethod, options: CallOptions): Promise<AnyFunction> {
    const { signal, timeoutMs } = options;
    const startedAt = performance.now();
    const mesh = await this.source.open(signal, timeoutMs);
    if (timeoutMs !== undefined) options.timeoutMs = timeoutMs - (performance.now() - startedAt);
    return this.functionOn(mesh, method);
  }

  private functionOn(mesh: Mesh, method: DescMethod): AnyFunction {
    const client = mesh.client(method.parent, this.target) as Record<string, AnyFunction>;
    const call = client[method.localName]!;
    this.functions.set(method, call);
    return call;
  }
}

/** What has come of a response besides its messages. */
class Heard {
  onHeader: (() => void) | null = null;
  header: Headers | null = null;
  private trailer: Headers | null = null;
  private isGiven = false;

  takeHeader(headers: Headers): void {
    this.header = headers;
    this.onHeader?.();
  }

  takeTrailer(trailers: Headers): void {
    const { trailer } = this;
    if (trailer === null || !this.isGiven) this.trailer = trailers;
    else for (const [key, value] of trailers) trailer.append(key, value);
  }

  /** For the response: trailers that still come are added to those. */
  complete(): { header: Headers; trailer: Headers } {
    this.isGiven = true;
    this.header ??= new Headers();
    this.trailer ??= new Headers();
    return { header: this.header, trailer: this.trailer };
  }
}

/** As every transport has it: a call that was aborted fails with the reason, whatever came of it. */
function failureOf(error: unknown, signal: AbortSignal | undefined, heard: Heard): ConnectError {
  if (signal?.aborted === true) return ConnectError.from(signal.reason, Code.Canceled);
  return connectErrorFrom(error, heard.header);
}

async function onlyRequest(requests: AsyncIterable<unknown>): Promise<unknown> {
  let found: unknown;
  let count = 0;
  for await (const request of requests) {
    found = request;
    if (++count > 1) break;
  }
  if (count === 1) return found;
  const text = `expected one request, found ${count === 0 ? "none" : "more"}`;
  throw new ConnectError(text, Code.Unimplemented);
}

async function* one<T>(message: T): AsyncGenerator<T, void> {
  yield message;
}
