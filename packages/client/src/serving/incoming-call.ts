/** A call that this app serves: from the CALL slot through the handler to its reply. */
import { messageOf, Status } from "@koala/interface";
import {
  type MetadataEntry,
  SlotFlag,
  W_BLOCK_OFFSET,
  W_BLOCK_TAG,
  W_CALL,
  W_INLINE_LENGTH,
  W_METADATA_LENGTH,
  W_SEGMENT_BYTES,
  W_TARGET,
  W_TIMEOUT,
} from "@koala/protocol";
import { TracePoint, tracePoints } from "@koala/shm";
import { returnsStream, takesStream } from "../calls/method-kinds.ts";
import { traceOf, trailersOf } from "../calls/reply.ts";
import { RpcError, valueError } from "../errors/rpc-error.ts";
import { sendEmptyHeaders, sendHeaders } from "../headers/response-header.ts";
import { leaseView, makeDisposable } from "../memory/view-lease.ts";
import type { Datapath } from "../mesh/datapath.ts";
import { RequestStream, ServerStream } from "../streams/server-stream.ts";
import type { Messages } from "../streams/stream-outlet.ts";
import { answer, answerEnd, answerFailure } from "./answer.ts";
import { CallContext, noEntries } from "./call-context.ts";
import type { HandlerContext } from "./handler-context.ts";
import type { Handler, ServerMethod } from "./service-export.ts";
import { isThenable } from "./thenable.ts";

/** Takes the CALL at `at`: reads the request, runs the handler, replies if it is done already. */
export function takeCall(datapath: Datapath, words: Int32Array, at: number, head: number): void {
  const id = words[at + W_CALL]!;
  if (tracePoints !== null) tracePoints.note(TracePoint.ARRIVED, id);
  const exported = datapath.exportOf(words[at + W_TARGET]!);
  if (datapath.ended) return;
  const method = exported?.methods[head >>> 16];
  if (method === undefined || method.handler === undefined) {
    refuse(datapath, id, exported === undefined, method);
    return;
  }
  if (takesStream(method.schema.kind)) {
    takeStreamCall(datapath, method, words, at, head);
    return;
  }
  const tag = words[at + W_BLOCK_TAG]!;
  const memory = datapath.receiveMemory(tag);
  if (datapath.ended) return;
  if (memory === undefined) {
    datapath.protocolError("CALL in an unknown region");
    return;
  }
  const offset = words[at + W_BLOCK_OFFSET]!;
  const inlineLength = words[at + W_INLINE_LENGTH]!;
  const metadata = words[at + W_METADATA_LENGTH] === 0 ? noEntries : trailersOf(words, at, memory);
  const trace = traceOf(words, at, memory);
  const call = new IncomingCall(datapath, method, id, metadata, trace, words[at + W_TIMEOUT]!);
  const codec = method.input;
  let request: unknown;
  try {
    request = method.view
      ? codec.view(memory, offset, inlineLength)
      : codec.read(memory, offset, inlineLength);
  } catch (cause) {
    // The daemon has validated the message, so this is a bug of ours; the call ends all the same.
    call.fail(valueError(Status.INTERNAL, "the request can't be read", cause));
    return;
  }
  if (method.view) {
    call.setBlock(request as object, tag, offset, inlineLength + words[at + W_SEGMENT_BYTES]!);
  }
  if (returnsStream(method.schema.kind)) call.openStream();
  if (tracePoints !== null) tracePoints.note(TracePoint.HANDLER_BEGUN, id);
  run(method.handler, request, call);
}

function run(handler: Handler, request: unknown, call: IncomingCall): void {
  let result: unknown;
  try {
    result = handler(request, call);
  } catch (error) {
    call.fail(error);
    return;
  }
  if (isThenable(result)) call.waitFor(result);
  else call.respond(result);
}

/** Takes the CALL of a method whose requests follow in MESSAGEs. */
function takeStreamCall(
  datapath: Datapath,
  method: ServerMethod,
  words: Int32Array,
  at: number,
  head: number,
): void {
  let metadata = noEntries;
  let trace: Uint8Array | null = null;
  if ((head & (SlotFlag.NO_BLOCK << 8)) === 0) {
    const memory = datapath.receiveMemory(words[at + W_BLOCK_TAG]!);
    if (datapath.ended) return;
    if (memory === undefined) {
      datapath.protocolError("CALL in an unknown region");
      return;
    }
    metadata = trailersOf(words, at, memory);
    trace = traceOf(words, at, memory);
  }
  const id = words[at + W_CALL]!;
  const call = new IncomingCall(datapath, method, id, metadata, trace, words[at + W_TIMEOUT]!);
  const { inbox } = call.openStream();
  run(method.handler!, new RequestStream(inbox!), call);
}

function refuse(
  datapath: Datapath,
  id: number,
  isClosed: boolean,
  method: ServerMethod | undefined,
): void {
  const error = isClosed
    ? new RpcError(Status.UNAVAILABLE, "the server no longer offers the service")
    : new RpcError(
        Status.UNIMPLEMENTED,
        method === undefined
          ? "the service has no such method"
          : `${method.service}/${method.schema.name} has no handler`,
      );
  answerFailure(datapath, id, error, noEntries, false);
}

/** One call; what its handler gets as context. */
export class IncomingCall extends CallContext implements HandlerContext {
  readonly target: ServerMethod;
  /** Null for a unary call. */
  stream: ServerStream | null = null;
  private readonly datapath: Datapath;
  private readonly id: number;
  private readonly timeout: number;
  private readonly startedAt: number;
  private isDone = false;
  private isHeld = false;
  private result: unknown = undefined;
  private controller: AbortController | null = null;
  private abortReason: RpcError | null = null;
  private request: object | null = null;
  private blockTag = 0;
  private blockOffset = 0;
  private blockBytes = 0;

  constructor(
    datapath: Datapath,
    target: ServerMethod,
    id: number,
    metadata: readonly MetadataEntry[],
    trace: Uint8Array | null,
    timeout: number,
  ) {
    super(metadata, trace);
    this.datapath = datapath;
    this.target = target;
    this.id = id;
    this.timeout = timeout;
    this.startedAt = timeout === 0 ? 0 : datapath.drainTime();
  }

  get service(): string {
    return this.target.service;
  }

  get method(): string {
    return this.target.schema.name;
  }

  get signal(): AbortSignal {
    // Made when asked for: most handlers never do, and a controller costs more than a call.
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.abortReason !== null) this.controller.abort(this.abortReason);
    }
    return this.controller.signal;
  }

  get timeoutMs(): number | undefined {
    if (this.timeout === 0) return undefined;
    return Math.max(0, this.timeout - (performance.now() - this.startedAt));
  }

  get deadline(): Date | undefined {
    const left = this.timeoutMs;
    return left === undefined ? undefined : new Date(Date.now() + left);
  }

  sendHeader(): void {
    if (this.isDone || this.datapath.ended || this.isHeaderSent) return;
    if (this.headerEntries().length > 0) this.passHeader();
    else {
      sendEmptyHeaders(this.datapath, this.id);
      this.isHeaderSent = true;
    }
  }

  /**
   * Sends the headers of the response, if there are any and they have not gone: true when its messages may
   * follow, false when the send heap is full now. Throws an `RpcError` for what is no header.
   */
  passHeader(): boolean {
    if (!this.hasHeader()) return true;
    const entries = this.headerEntries();
    if (entries.length === 0) return true;
    if (!sendHeaders(this.datapath, this.id, entries)) return false;
    this.isHeaderSent = true;
    return true;
  }

  /** Messages of the response begin: as `passHeader`, and headers that are set later do not go any more. */
  closeHeader(): boolean {
    if (!this.passHeader()) return false;
    this.isHeaderSent = true;
    return true;
  }

  hold(): void {
    if (this.request !== null && !this.isDone) this.isHeld = true;
  }

  setBlock(request: object, tag: number, offset: number, bytes: number): void {
    makeDisposable(request);
    this.request = request;
    this.blockTag = tag;
    this.blockOffset = offset;
    this.blockBytes = bytes;
  }

  /** MESSAGEs, CREDITs and a CANCEL find the call from here on. */
  openStream(): ServerStream {
    this.datapath.incoming.set(this.id, this);
    this.stream = new ServerStream(this.datapath, this, this.id, this.target);
    return this.stream;
  }

  waitFor(result: PromiseLike<unknown>): void {
    this.datapath.incoming.set(this.id, this);
    result.then(
      (value) => this.respond(value),
      (error) => this.fail(error),
    );
  }

  /** What the handler has returned: its result, or an iterable of them. */
  respond(result: unknown): void {
    if (tracePoints !== null) tracePoints.note(TracePoint.HANDLER_ENDED, this.id);
    const { stream } = this;
    if (stream === null || !returnsStream(this.target.schema.kind)) this.finish(result);
    else if (this.abortReason !== null) this.fail(this.abortReason);
    else if (!this.isDone) stream.respond(result as Messages);
  }

  /** The handler's result, as its reply; undefined when its messages have gone before. */
  finish(result: unknown): void {
    if (this.isDone || this.datapath.ended) return;
    try {
      if (this.reply(result)) this.end();
      else this.defer(result);
    } catch (error) {
      this.fail(error);
    }
  }

  /** The error that a handler threw, or why its result can't be sent, as the reply. */
  fail(error: unknown): void {
    if (this.isDone || this.datapath.ended) return;
    // What was given before the error comes before the error.
    if (this.stream !== null) this.stream.outlet?.flush();
    answerFailure(
      this.datapath,
      this.id,
      error instanceof RpcError ? error : this.unknownError(error),
      this.lastTrailers(),
      this.isHeld,
    );
    this.end();
  }

  /** After room has become free: true once the reply is out. */
  tryAgain(): boolean {
    if (this.isDone) return true;
    try {
      if (!this.reply(this.result)) return false;
      this.end();
    } catch (error) {
      this.fail(error);
    }
    return true;
  }

  /** The caller has given up, or its deadline has passed. The reply is still owed. */
  cancel(status: number): void {
    const isDeadline = status === Status.DEADLINE_EXCEEDED;
    const error = isDeadline
      ? new RpcError(Status.DEADLINE_EXCEEDED, "the deadline of the call has passed")
      : new RpcError(Status.CANCELLED, "the caller cancelled the call");
    this.abort(error);
    const { stream } = this;
    if (stream === null) return;
    const hadOutlet = stream.outlet !== null;
    const ended = stream.cancel(error);
    if (ended !== null) void ended.then(() => this.fail(error));
    else if (hadOutlet) this.fail(error);
  }

  /** The connection is gone and with it whoever waits for a reply. */
  disconnect(reason: string): void {
    this.isDone = true;
    const error = new RpcError(Status.UNAVAILABLE, reason, { origin: "local-daemon" });
    this.abort(error);
    void this.stream?.cancel(error);
  }

  /** The server stops before the handler has: the caller gets UNAVAILABLE. */
  cut(): void {
    const error = new RpcError(Status.UNAVAILABLE, "the server closed before the handler ended");
    this.stream?.outlet?.flush();
    void this.stream?.cancel(error);
    this.fail(error);
    this.abort(error);
  }

  private reply(result: unknown): boolean {
    if (!this.passHeader()) return false;
    const { datapath, id, target, isHeld } = this;
    if (returnsStream(target.schema.kind)) {
      return answerEnd(datapath, id, this.trailerEntries(), isHeld);
    }
    return answer(datapath, id, target, result, this.trailerEntries(), isHeld);
  }

  /** Sends the headers of a call that fails, if that is possible; what comes with its status. */
  private lastTrailers(): readonly MetadataEntry[] {
    try {
      this.passHeader();
      return this.trailerEntries();
    } catch {
      // The status matters more than headers that are none.
      return this.responseMetadata;
    }
  }

  private abort(reason: RpcError): void {
    if (this.abortReason !== null) return;
    this.abortReason = reason;
    this.controller?.abort(reason);
  }

  private defer(result: unknown): void {
    this.result = result;
    this.datapath.incoming.set(this.id, this);
    this.datapath.deferred.push(this);
  }

  private end(): void {
    this.isDone = true;
    this.result = undefined;
    if (this.stream !== null) this.stream.end();
    const { datapath, request } = this;
    if (datapath.incoming.size !== 0) datapath.incoming.delete(this.id);
    if (request === null) return;
    this.request = null;
    if (!this.isHeld) return;
    const what = `${this.service}/${this.method}`;
    leaseView(request, datapath, what, this.blockTag, this.blockOffset, this.blockBytes);
  }

  private unknownError(error: unknown): RpcError {
    const name = `${this.service}/${this.method}`;
    this.datapath.log("error", `handler of ${name} threw: ${stackOf(error)}`);
    return new RpcError(Status.UNKNOWN, `handler threw: ${messageOf(error)}`, { cause: error });
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
