/**
 * A call of grpc-js that goes over the mesh. grpc-js asks for messages one by one and expects, in this order: the
 * headers, messages, the status once.
 *
 * ```
 *  start ──▶ find the service ──▶ begin ──▶ headers ──▶ message, one for each startRead ──▶ status
 *            (at once, when known)  └ with one request: when it is there, else at once
 * ```
 *
 * What the listener does runs in a tick of its own: an error that it throws is the program's, and ends no call.
 */
import type { DescMethod } from "@bufbuild/protobuf";
import {
  type CallCredentials,
  type ChannelInterface,
  type Deadline,
  type InterceptingListener,
  Metadata,
  type StatusObject,
} from "@grpc/grpc-js";
import { messageOf, Status } from "@koala/interface";
import { type MetadataEntry, RpcError } from "@koala/mrpc";
import type { RawClient, RawOptions } from "@koala/mrpc/raw";
import { okStatus, statusOfError } from "./call-status.ts";
import { earlier, msLeft } from "./deadline.ts";
import { bufferOf, entriesOfMetadata, metadataOfEntries } from "./grpc-metadata.ts";
import { MessageQueue } from "./message-queue.ts";
import type { Parent } from "./parent-call.ts";
import type { KnownService } from "./service-lookup.ts";

/** What a channel of grpc-js makes. */
export type GrpcCall = ReturnType<ChannelInterface["createCall"]>;

/** What a call needs of its channel. */
export interface CallChannel {
  readonly target: string;
  /** The service, when it can be called at once. */
  known(service: string): KnownService | undefined;
  /** Finds it. Rejects when there is none. */
  find(service: string, waitForReady: boolean): Promise<KnownService>;
  /** A call has begun. */
  started(): void;
  /** One that has begun is over. */
  ended(): void;
}

const noEntries: readonly MetadataEntry[] = [];
let calls = 0;

export class KoalaCall implements GrpcCall {
  private readonly channel: CallChannel;
  private readonly path: string;
  private readonly deadline: Deadline;
  private readonly parent: Parent | null;
  private readonly number: number;
  private readonly controller = new AbortController();
  private readonly requests = new MessageQueue();
  private credentials: CallCredentials | null = null;
  private metadata: Metadata | null = null;
  private listener: InterceptingListener | null = null;
  private timer: NodeJS.Timeout | undefined;
  private service: KnownService | null = null;
  private method: DescMethod | null = null;
  /** The request of a method that takes one. */
  private request: Uint8Array | null = null;
  private isHalfClosed = false;
  private hasBegun = false;
  private responses: AsyncIterator<Uint8Array> | null = null;
  /** The message that nobody has asked for yet. */
  private held: Uint8Array | null = null;
  private reads = 0;
  private hasHeader = false;
  private header: readonly MetadataEntry[] = noEntries;
  private trailers: readonly MetadataEntry[] = noEntries;
  /** Known, but not told yet. */
  private status: StatusObject | null = null;
  private isOver = false;

  constructor(channel: CallChannel, path: string, deadline: Deadline, parent: Parent | null) {
    this.channel = channel;
    this.path = path;
    this.parent = parent;
    this.deadline = parent === null ? deadline : earlier(deadline, parent.deadline);
    this.number = calls++;
  }

  start(metadata: Metadata, listener: InterceptingListener): void {
    this.listener = listener;
    this.channel.started();
    if (this.status !== null) {
      this.channel.ended();
      process.nextTick(() => this.tellStatus());
      return;
    }
    // A copy: the caller may use it for the next call.
    this.metadata = metadata.clone();
    this.metadata.setOptions(metadata.getOptions());
    this.parent?.cancelling?.on("cancelled", this.onParentCancelled);
    const { service } = splitPath(this.path);
    const known = this.credentials === null ? this.channel.known(service) : undefined;
    if (known !== undefined) this.use(known);
    else this.prepare(service);
  }

  sendMessageWithContext(
    { callback }: Parameters<GrpcCall["sendMessageWithContext"]>[0],
    message: Buffer,
  ): void {
    if (this.isOver || !takesOne(this.method)) {
      this.requests.push(message, callback);
      return;
    }
    this.request ??= message;
    if (callback !== undefined) process.nextTick(callback);
  }

  startRead(): void {
    this.reads++;
    if (this.held !== null) this.deliver();
  }

  halfClose(): void {
    this.isHalfClosed = true;
    this.requests.end();
    if (this.method !== null && !this.hasBegun) this.begin(this.method);
  }

  cancelWithStatus(code: Status, details: string): void {
    if (this.isOver) return;
    this.finish({ code, details, metadata: new Metadata() });
  }

  getPeer(): string {
    return `koala:${this.channel.target}`;
  }

  getCallNumber(): number {
    return this.number;
  }

  setCredentials(credentials: CallCredentials): void {
    this.credentials = this.credentials?.compose(credentials) ?? credentials;
  }

  getAuthContext(): null {
    return null;
  }

  /** All that takes a while before the call can go: the deadline runs here. */
  private prepare(service: string): void {
    const leftMs = msLeft(this.deadline);
    if (leftMs !== undefined) this.startTimer(leftMs);
    const waitForReady = this.metadata?.getOptions().waitForReady === true;
    this.authorize()
      .then(() => this.channel.find(service, waitForReady))
      .then(
        (known) => this.use(known),
        (error) => this.end(unavailableUnlessRpc(error)),
      );
  }

  private async authorize(): Promise<void> {
    const { credentials } = this;
    if (credentials === null) return;
    const { service, method } = splitPath(this.path);
    const service_url = `https://${this.channel.target}/${service}`;
    try {
      this.metadata?.merge(
        await credentials.generateMetadata({ service_url, method_name: method }),
      );
    } catch (cause) {
      const text = `the call's credentials made no metadata: ${messageOf(cause)}`;
      throw new RpcError(Status.UNAUTHENTICATED, text, { cause });
    }
  }

  private use(known: KnownService): void {
    clearTimeout(this.timer);
    if (this.isOver) return;
    const { service, method: name } = splitPath(this.path);
    const method = known.methods.get(name);
    if (method === undefined) {
      this.end(new RpcError(Status.UNIMPLEMENTED, `${service} has no method ${name}`));
      return;
    }
    this.service = known;
    this.method = method;
    if (!takesOne(method) || this.isHalfClosed) this.begin(method);
  }

  private begin(method: DescMethod): void {
    this.hasBegun = true;
    const { client } = this.service!;
    const options = this.options();
    if (!takesOne(method)) {
      this.iterate(client.stream(method, this.requests, options));
      return;
    }
    if (this.request !== null) {
      this.sendOne(client, method, this.request, options);
      return;
    }
    // It came before the method was known.
    void this.requests.next().then(({ value }) => {
      if (this.isOver) return;
      if (value !== undefined) this.sendOne(client, method, value, options);
      else this.end(new RpcError(Status.INTERNAL, `${this.path}: the caller has sent no message`));
    });
  }

  private sendOne(
    client: RawClient,
    method: DescMethod,
    request: Uint8Array,
    options: RawOptions,
  ): void {
    if (method.methodKind === "unary") {
      client.unary(method, request, options).then(this.onReply, this.onFailure);
    } else this.iterate(client.stream(method, [request], options));
  }

  private options(): RawOptions {
    const metadata = this.metadata!;
    const leftMs = msLeft(this.deadline);
    const context = this.parent?.context ?? undefined;
    return {
      metadata: entriesOfMetadata(metadata),
      signal: this.controller.signal,
      onHeaderEntries: (entries) => {
        this.header = entries;
        process.nextTick(this.tellHeader);
      },
      onTrailerEntries: (entries) => {
        this.trailers = entries;
      },
      ...(leftMs !== undefined && { timeoutMs: leftMs }),
      ...(metadata.getOptions().waitForReady === true && { waitForReady: true }),
      ...(context !== undefined && { parent: context }),
    };
  }

  private iterate(responses: AsyncIterable<Uint8Array>): void {
    this.responses = responses[Symbol.asyncIterator]();
    this.pull();
  }

  /** Asks for a message ahead, so that the end is known as soon as the last one has been read. */
  private pull(): void {
    this.responses!.next().then(this.onNext, this.onFailure);
  }

  private readonly onNext = ({ done, value }: IteratorResult<Uint8Array>): void => {
    if (done === true) this.end(null);
    else this.receive(value);
  };

  private readonly onReply = (reply: Uint8Array): void => {
    if (this.isOver) return;
    this.receive(reply);
    this.status = okStatus(this.trailers);
  };

  private readonly onFailure = (error: unknown): void => this.end(error);

  private receive(message: Uint8Array): void {
    if (this.isOver) return;
    this.held = message;
    if (this.reads > 0) process.nextTick(this.onHeld);
    else this.startTimerForReader();
  }

  private readonly onHeld = (): void => {
    if (this.held !== null && this.reads > 0) this.deliver();
  };

  /** The message that is there, and what follows. */
  private deliver(): void {
    const message = this.held!;
    this.tellHeader();
    if (this.isOver) return;
    clearTimeout(this.timer);
    this.held = null;
    this.reads--;
    // First what follows: the listener may throw.
    if (this.responses !== null) this.pull();
    else this.finish(this.status!);
    this.listener!.onReceiveMessage(bufferOf(message));
  }

  private readonly tellHeader = (): void => {
    if (this.hasHeader || this.isOver) return;
    this.hasHeader = true;
    this.listener!.onReceiveMetadata(metadataOfEntries(this.header));
  };

  /** The call has ended, with an error or without. */
  private end(error: unknown): void {
    process.nextTick(() => {
      // grpc-js's own channel has headers of every call that went well.
      if (error === null || this.header !== noEntries) this.tellHeader();
      if (this.isOver) return;
      this.finish(error === null ? okStatus(this.trailers) : statusOfError(error));
    });
  }

  private finish(status: StatusObject): void {
    this.isOver = true;
    this.status = status;
    this.held = null;
    clearTimeout(this.timer);
    this.parent?.cancelling?.removeListener("cancelled", this.onParentCancelled);
    this.requests.stop();
    if (status.code !== Status.OK) this.controller.abort();
    if (this.listener === null) return;
    this.channel.ended();
    process.nextTick(() => this.tellStatus());
  }

  private tellStatus(): void {
    this.listener!.onReceiveStatus(this.status!);
  }

  private readonly onParentCancelled = (): void => {
    this.cancelWithStatus(Status.CANCELLED, "the call that this one was made for was cancelled");
  };

  /** A message that nobody reads keeps the end of the call away from the caller; its deadline holds all the same. */
  private startTimerForReader(): void {
    const leftMs = msLeft(this.deadline);
    if (leftMs !== undefined) this.startTimer(leftMs);
  }

  private startTimer(leftMs: number): void {
    this.timer = setTimeout(
      () => this.cancelWithStatus(Status.DEADLINE_EXCEEDED, "the deadline of the call has passed"),
      Math.max(0, leftMs),
    );
  }
}

/** `/geo.v1.Geo/Nearest`. */
function splitPath(path: string): { service: string; method: string } {
  const at = path.lastIndexOf("/");
  return { service: path.slice(1, at), method: path.slice(at + 1) };
}

function takesOne(method: DescMethod | null): boolean {
  return method?.methodKind === "unary" || method?.methodKind === "server_streaming";
}

/** No connection, no descriptors: the call may go later. */
function unavailableUnlessRpc(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  return new RpcError(Status.UNAVAILABLE, messageOf(error), { origin: "app", cause: error });
}
