/**
 * A call from the mesh as servers of grpc-js see it, below their interceptors. Requests are read when they are asked
 * for; results go to whoever called the handler of the raw service.
 */
import type {
  Deadline,
  Metadata,
  ServerInterceptingCallInterface,
  ServerMethodDefinition,
} from "@grpc/grpc-js";
import { messageOf, Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import type { HandlerContext } from "@koala/mrpc/raw";
import { errorOfStatus, type PartialStatus } from "./call-status.ts";
import { bufferOf, detailsKey, entriesOfMetadata, metadataOfEntries } from "./grpc-metadata.ts";
import { MessageQueue } from "./message-queue.ts";

/** A method as its definition has it; types of messages are the implementation's business. */
export type AnyServerMethod = ServerMethodDefinition<unknown, unknown>;

type Listener = Parameters<ServerInterceptingCallInterface["start"]>[0];

/** Where the messages of the caller come from. */
export type Requests = AsyncIterator<Uint8Array> | Iterator<Uint8Array>;

export class ServerCall implements ServerInterceptingCallInterface {
  /** For calls on behalf of this one. */
  readonly koalaContext: HandlerContext;
  /** The results of a method that returns a stream. */
  readonly results: MessageQueue = new MessageQueue();
  private readonly name: string;
  private readonly method: AnyServerMethod;
  private readonly requests: Requests;
  private readonly onEnd: (call: ServerCall) => void;
  private listener: Listener | null = null;
  private deadline: Deadline | undefined;
  private hasHeader = false;
  private isOver = false;
  private reply: Uint8Array | undefined;
  private error: RpcError | null = null;
  private resolve: ((reply: Uint8Array) => void) | null = null;
  private reject: ((error: RpcError) => void) | null = null;

  /** `name`: what the server is called in the mesh. `onEnd` is called once, when nothing more will come. */
  constructor(
    name: string,
    method: AnyServerMethod,
    requests: Requests,
    context: HandlerContext,
    onEnd: (call: ServerCall) => void,
  ) {
    this.name = name;
    this.method = method;
    this.requests = requests;
    this.koalaContext = context;
    this.onEnd = onEnd;
  }

  /** The result of a method that returns one message. */
  result(): Promise<Uint8Array> | Uint8Array {
    if (this.error !== null) throw this.error;
    if (this.isOver) return this.reply!;
    return new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Ends the call from outside: the handler is told that it was cancelled. */
  abort(reason: RpcError): void {
    if (this.isOver) return;
    this.finish(reason);
    this.listener?.onCancel();
  }

  start(listener: Listener): void {
    this.listener = listener;
    const context = this.koalaContext;
    context.signal.addEventListener("abort", this.onAbort, { once: true });
    listener.onReceiveMetadata(metadataOfEntries(context.metadata));
  }

  startRead(): void {
    if (this.isOver) return;
    const next = this.requests.next();
    if (next instanceof Promise) next.then(this.onRequest, this.onRequestFailure);
    else this.onRequest(next);
  }

  sendMetadata(metadata: Metadata): void {
    if (this.isOver || this.hasHeader) return;
    this.hasHeader = true;
    const context = this.koalaContext;
    context.responseHeaderMetadata = entriesOfMetadata(metadata);
    try {
      context.sendHeader();
    } catch (error) {
      this.sendStatus({ code: Status.INTERNAL, details: messageOf(error) });
    }
  }

  sendMessage(message: unknown, callback: () => void): void {
    let bytes: Uint8Array;
    try {
      bytes = this.method.responseSerialize(message);
    } catch (error) {
      const details = `the response can't be serialized: ${messageOf(error)}`;
      this.sendStatus({ code: Status.INTERNAL, details });
      return;
    }
    if (this.method.responseStream) {
      this.results.push(bytes, callback);
      return;
    }
    this.reply ??= bytes;
    callback();
  }

  sendStatus(status: PartialStatus): void {
    if (this.isOver) return;
    if (status.code !== Status.OK) {
      this.finish(errorOfStatus(status));
      return;
    }
    if (status.metadata != null) {
      this.koalaContext.responseMetadata = entriesOfMetadata(status.metadata).filter(
        ([key]) => key !== detailsKey,
      );
    }
    const isMissing = !this.method.responseStream && this.reply === undefined;
    const text = `${this.method.path}: the handler ended with OK, and without a message`;
    this.finish(isMissing ? new RpcError(Status.UNIMPLEMENTED, text) : null);
  }

  getPeer(): string {
    return "unknown";
  }

  getDeadline(): Deadline {
    // Asked for once: what is left is counted from now on each time.
    this.deadline ??= this.koalaContext.deadline ?? Number.POSITIVE_INFINITY;
    return this.deadline;
  }

  getHost(): string {
    return this.name;
  }

  getAuthContext(): ReturnType<ServerInterceptingCallInterface["getAuthContext"]> {
    return {};
  }

  getConnectionInfo(): ReturnType<ServerInterceptingCallInterface["getConnectionInfo"]> {
    return {};
  }

  getMetricsRecorder(): ReturnType<ServerInterceptingCallInterface["getMetricsRecorder"]> {
    return noMetrics as ReturnType<ServerInterceptingCallInterface["getMetricsRecorder"]>;
  }

  private readonly onRequest = ({ done, value }: IteratorResult<Uint8Array>): void => {
    if (this.isOver) return;
    const listener = this.listener!;
    if (done === true) {
      listener.onReceiveHalfClose();
      return;
    }
    let request: unknown;
    try {
      request = this.method.requestDeserialize(bufferOf(value));
    } catch (error) {
      const details = `the request can't be deserialized: ${messageOf(error)}`;
      this.sendStatus({ code: Status.INTERNAL, details });
      return;
    }
    listener.onReceiveMessage(request);
  };

  /** Requests fail when the call has ended, and then the signal says so. */
  private readonly onRequestFailure = (error: unknown): void => {
    this.abort(error instanceof RpcError ? error : new RpcError(Status.INTERNAL, messageOf(error)));
  };

  private readonly onAbort = (): void => {
    this.abort(this.koalaContext.signal.reason as RpcError);
  };

  private finish(error: RpcError | null): void {
    this.isOver = true;
    this.error = error;
    this.koalaContext.signal.removeEventListener("abort", this.onAbort);
    if (error === null) {
      this.results.end();
      this.resolve?.(this.reply!);
    } else {
      this.results.fail(error);
      this.reject?.(error);
    }
    this.onEnd(this);
  }
}

/** A recorder of load reports, which only grpc-js's own transport can send: it forgets what it is told. */
const noMetrics: unknown = {
  recordRequestCostMetric(): void {},
  recordUtilizationMetric(): void {},
  recordNamedMetric(): void {},
  recordCPUUtilizationMetric(): void {},
  recordMemoryUtilizationMetric(): void {},
  recordApplicationUtilizationMetric(): void {},
  recordQpsMetric(): void {},
  recordEpsMetric(): void {},
};
