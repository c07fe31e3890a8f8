/** What clients of connect-es call through. */
import type {
  DescMessage,
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  MessageInitShape,
} from "@bufbuild/protobuf";
import {
  type ContextValues,
  createContextValues,
  type Interceptor,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import { createMethodUrl, runStreamingCall, runUnaryCall } from "@connectrpc/connect/protocol";
import type { ConnectOptions, Mesh } from "@koala/mrpc";
import { DirectTransport } from "./direct-transport.ts";
import type { HeadersInit } from "./headers-init.ts";
import { MeshSource } from "./mesh-source.ts";

/** What a transport can be told. Options of `connect` are for a connection of its own. */
export interface KoalaTransportOptions extends Omit<ConnectOptions, "interceptors"> {
  /** The connection to use. Without one, the transport makes its own with the first call. */
  mesh?: Mesh;
  /** Around each call, as with every transport of connect-es; the first one is outermost. */
  interceptors?: readonly Interceptor[];
  /** Time for calls that name none. Default: no limit. A call with a `timeoutMs` of 0 or less has none either. */
  defaultTimeoutMs?: number;
  /** Wait for a server, as long as the time allows, instead of failing with `Code.Unavailable`. Default: false. */
  waitForReady?: boolean;
}

/** A transport that can be closed. An idle one does not keep the process alive. */
export interface KoalaTransport extends Transport, AsyncDisposable {
  /** Ends the transport's own connection and with it pending calls; a connection that was given stays. */
  close(): Promise<void>;
}

/**
 * Calls to services that are offered as `target`, for `createClient` of connect-es. Nothing happens before the first
 * call; one that finds no daemon within `waitMs` fails with `Code.Unavailable`.
 */
export function koalaTransport(
  target: string,
  options: KoalaTransportOptions = {},
): KoalaTransport {
  return new MeshTransport(target, options);
}

class MeshTransport implements KoalaTransport {
  private readonly source: MeshSource;
  private readonly direct: DirectTransport;
  private readonly baseUrl: string;
  private readonly interceptors: Interceptor[];
  private readonly defaultTimeoutMs: number | undefined;

  constructor(target: string, options: KoalaTransportOptions) {
    const { mesh, interceptors, defaultTimeoutMs, waitForReady, ...connectOptions } = options;
    this.source = new MeshSource(mesh, connectOptions);
    this.direct = new DirectTransport(target, this.source, waitForReady ?? false);
    this.baseUrl = `koala://${encodeURIComponent(target)}`;
    this.interceptors = [...(interceptors ?? [])];
    this.defaultTimeoutMs = defaultTimeoutMs;
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    message: MessageInitShape<I>,
    contextValues?: ContextValues,
  ): Promise<UnaryResponse<I, O>> {
    const { direct, interceptors } = this;
    const limitMs = this.limitOf(timeoutMs);
    // Only interceptors look at the signal and the headers that are made below, which cost more than the call.
    if (interceptors.length === 0) {
      return await direct.unary(method, signal, limitMs, header, message, contextValues);
    }
    const endsAt = endOf(limitMs);
    return await runUnaryCall<I, O>({
      interceptors,
      ...limitsOf(signal, limitMs),
      req: { ...this.requestOf(header, contextValues, method), stream: false, method, message },
      next: (req) =>
        direct.unary(
          req.method,
          req.signal,
          leftUntil(endsAt),
          req.header,
          req.message as MessageInitShape<I>,
          req.contextValues,
        ),
    });
  }

  stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    messages: AsyncIterable<MessageInitShape<I>>,
    contextValues?: ContextValues,
  ): Promise<StreamResponse<I, O>> {
    const response = this.start(method, signal, timeoutMs, header, messages, contextValues);
    // Clients look at it when somebody reads the stream, which may be late.
    response.catch(() => {});
    return response;
  }

  close(): Promise<void> {
    return this.source.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async start<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    signal: AbortSignal | undefined,
    timeoutMs: number | undefined,
    header: HeadersInit | undefined,
    message: AsyncIterable<MessageInitShape<I>>,
    contextValues: ContextValues | undefined,
  ): Promise<StreamResponse<I, O>> {
    const { direct, interceptors } = this;
    const limitMs = this.limitOf(timeoutMs);
    if (interceptors.length === 0) {
      return await direct.stream(method, signal, limitMs, header, message, contextValues);
    }
    const endsAt = endOf(limitMs);
    return await runStreamingCall<I, O>({
      interceptors,
      ...limitsOf(signal, limitMs),
      req: { ...this.requestOf(header, contextValues, method), stream: true, method, message },
      next: (req) =>
        direct.stream(
          req.method,
          req.signal,
          leftUntil(endsAt),
          req.header,
          req.message as AsyncIterable<MessageInitShape<I>>,
          req.contextValues,
        ),
    });
  }

  private limitOf(timeoutMs: number | undefined): number | undefined {
    if (timeoutMs === undefined) return this.defaultTimeoutMs;
    return timeoutMs <= 0 ? undefined : timeoutMs;
  }

  private requestOf(
    header: HeadersInit | undefined,
    contextValues: ContextValues | undefined,
    method: DescMethod,
  ) {
    return {
      service: method.parent,
      requestMethod: "POST",
      url: createMethodUrl(this.baseUrl, method),
      header: new Headers(header),
      contextValues: contextValues ?? createContextValues(),
    };
  }
}

function limitsOf(
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
): { signal?: AbortSignal; timeoutMs?: number } {
  return {
    ...(signal !== undefined && { signal }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  };
}

function endOf(timeoutMs: number | undefined): number | undefined {
  return timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
}

/** An interceptor may have waited, or call a second time. */
function leftUntil(endsAt: number | undefined): number | undefined {
  return endsAt === undefined ? undefined : endsAt - performance.now();
}
