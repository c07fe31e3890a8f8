/** What handlers of grpc-js get as their `call`. */
import { EventEmitter } from "node:events";
import { Duplex, type DuplexOptions } from "node:stream";
import {
  type Deadline,
  Metadata,
  type ServerErrorResponse,
  type ServerInterceptingCallInterface,
} from "@grpc/grpc-js";
import { Status } from "@koala/interface";
import type { HandlerContext } from "@koala/mrpc/raw";
import { type PartialStatus, statusOfHandlerError } from "./call-status.ts";

/** What every kind of call can do. */
export interface HandlerCall {
  /** As in handlers of `@koala/mrpc`: what grpc-js has no place for, such as the trace. */
  readonly koalaContext: HandlerContext;
  cancelled: boolean;
  readonly metadata: Metadata;
  getPeer(): string;
  sendMetadata(metadata: Metadata): void;
  getDeadline(): Deadline;
  getPath(): string;
  getHost(): string;
  getAuthContext(): ReturnType<ServerInterceptingCallInterface["getAuthContext"]>;
  getMetricsRecorder(): ReturnType<ServerInterceptingCallInterface["getMetricsRecorder"]>;
}

/** A call as the one who handles it was given it. */
export interface Handled {
  readonly path: string;
  /** Behind the interceptors. */
  readonly call: ServerInterceptingCallInterface;
  readonly metadata: Metadata;
  readonly context: HandlerContext;
}

/** Of a method that takes and returns one message. */
export class UnaryHandlerCall extends EventEmitter implements HandlerCall {
  readonly koalaContext: HandlerContext;
  cancelled = false;
  readonly metadata: Metadata;
  readonly request: unknown;
  private readonly handled: Handled;

  constructor(handled: Handled, request: unknown) {
    super();
    this.handled = handled;
    this.koalaContext = handled.context;
    this.metadata = handled.metadata;
    this.request = request;
    // A handler may say so instead of calling back.
    this.on("error", (error: ServerErrorResponse) => {
      handled.call.sendStatus(statusOfHandlerError(error));
    });
  }

  getPeer(): string {
    return this.handled.call.getPeer();
  }

  sendMetadata(metadata: Metadata): void {
    this.handled.call.sendMetadata(metadata);
  }

  getDeadline(): Deadline {
    return this.handled.call.getDeadline();
  }

  getPath(): string {
    return this.handled.path;
  }

  getHost(): string {
    return this.handled.call.getHost();
  }

  getAuthContext(): ReturnType<HandlerCall["getAuthContext"]> {
    return this.handled.call.getAuthContext();
  }

  getMetricsRecorder(): ReturnType<HandlerCall["getMetricsRecorder"]> {
    return this.handled.call.getMetricsRecorder();
  }
}

/** Of all other methods: it is read where the method takes a stream, and written to where it returns one. */
export class StreamHandlerCall extends Duplex implements HandlerCall {
  readonly koalaContext: HandlerContext;
  cancelled = false;
  readonly metadata: Metadata;
  /** Undefined when the method takes a stream. */
  readonly request: unknown;
  private readonly handled: Handled;
  private trailers = new Metadata();
  private status: PartialStatus = { code: Status.OK, details: "OK" };

  constructor(handled: Handled, takesStream: boolean, request?: unknown) {
    super({ objectMode: true, readable: takesStream } as DuplexOptions);
    this.handled = handled;
    this.koalaContext = handled.context;
    this.metadata = handled.metadata;
    this.request = request;
    // Handlers emit errors themselves, too, so the stream may still be good.
    this.on("error", (error: ServerErrorResponse) => {
      this.status = statusOfHandlerError(error);
      if (this.destroyed) this.sendStatus();
      else this.end();
    });
  }

  override _read(): void {
    this.handled.call.startRead();
  }

  override _write(message: unknown, _encoding: string, callback: () => void): void {
    this.handled.call.sendMessage(message, callback);
  }

  override _final(callback: () => void): void {
    callback();
    this.sendStatus();
  }

  /** As grpc-js has it: trailers instead of a last message. */
  override end(trailers?: unknown): this {
    if (trailers instanceof Metadata) this.trailers = trailers;
    return super.end();
  }

  getPeer(): string {
    return this.handled.call.getPeer();
  }

  sendMetadata(metadata: Metadata): void {
    this.handled.call.sendMetadata(metadata);
  }

  getDeadline(): Deadline {
    return this.handled.call.getDeadline();
  }

  getPath(): string {
    return this.handled.path;
  }

  getHost(): string {
    return this.handled.call.getHost();
  }

  getAuthContext(): ReturnType<HandlerCall["getAuthContext"]> {
    return this.handled.call.getAuthContext();
  }

  getMetricsRecorder(): ReturnType<HandlerCall["getMetricsRecorder"]> {
    return this.handled.call.getMetricsRecorder();
  }

  private sendStatus(): void {
    const { status } = this;
    this.handled.call.sendStatus({ ...status, metadata: status.metadata ?? this.trailers });
  }
}
