/** A call that never leaves the process: what its handler gets as context, and how it ends. */
import { messageOf, Status } from "@koala/interface";
import { decodeMetadata, type MetadataEntry } from "@koala/protocol";
import { addAbortListener, removeAbortListener } from "../calls/abort-listeners.ts";
import { metadataBytes, type RawCallOptions, timeoutWord } from "../calls/call-options.ts";
import type { MessageStyle } from "../calls/message-style.ts";
import { callListener, giveEntries } from "../calls/reply.ts";
import { abortError, RpcError, valueError } from "../errors/rpc-error.ts";
import type { MessageCopier } from "../memory/message-copier.ts";
import type { Log } from "../mesh/log.ts";
import { CallContext } from "../serving/call-context.ts";
import type { HandlerContext } from "../serving/handler-context.ts";
import type { ServerMethod } from "../serving/service-export.ts";

/** What a daemon takes when it is not told otherwise. */
const metadataBytesMax = 16 * 1024;

export class LoopbackCall extends CallContext implements HandlerContext {
  readonly target: ServerMethod;
  /** Called once, when the call ends before its handler has: with what caller and handler get. */
  onCut: (error: RpcError) => void = () => {};
  /** Called once, when the call is over. */
  onOver: () => void = () => {};
  /** The call is over, with an outcome or without. */
  isOver = false;
  private readonly options: RawCallOptions;
  private readonly style: MessageStyle;
  private readonly copier: MessageCopier;
  private readonly log: Log;
  private readonly endsAt: number;
  private readonly controller = new AbortController();
  private readonly onAbort: () => void;
  private timer: NodeJS.Timeout | null = null;

  /** `style` is the caller's. Throws an `RpcError` when the call can't be made at all. */
  constructor(
    target: ServerMethod,
    options: RawCallOptions,
    style: MessageStyle,
    copier: MessageCopier,
    log: Log,
  ) {
    const { metadata, trace, signal } = options;
    super(
      metadata === undefined ? [] : decodeMetadata(metadataBytes(metadata, metadataBytesMax))!,
      trace ?? null,
    );
    this.target = target;
    this.options = options;
    this.style = style;
    this.copier = copier;
    this.log = log;
    if (signal?.aborted === true) throw abortError(signal.reason);
    const timeout = timeoutWord(options.timeoutMs);
    this.endsAt = timeout === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeout;
    if (timeout !== 0) {
      const text = "the deadline of the call has passed";
      const origin = "local-daemon";
      const onTime = (): void => this.cut(new RpcError(Status.DEADLINE_EXCEEDED, text, { origin }));
      this.timer = setTimeout(onTime, timeout);
    }
    this.onAbort = () => this.cut(abortError(signal?.reason));
    if (signal !== undefined) addAbortListener(signal, this.onAbort);
  }

  get service(): string {
    return this.target.service;
  }

  get method(): string {
    return this.target.schema.name;
  }

  get name(): string {
    return `${this.service}/${this.method}`;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  get timeoutMs(): number | undefined {
    if (this.endsAt === Number.POSITIVE_INFINITY) return undefined;
    return Math.max(0, this.endsAt - performance.now());
  }

  get deadline(): Date | undefined {
    const left = this.timeoutMs;
    return left === undefined ? undefined : new Date(Date.now() + left);
  }

  sendHeader(): void {
    if (this.isOver || this.isHeaderSent) return;
    const entries = copyOf(this.headerEntries());
    this.isHeaderSent = true;
    const { onHeaderEntries } = this.options;
    if (onHeaderEntries !== undefined) callListener(onHeaderEntries, entries);
  }

  /** Sends the headers of the response if there are any and they have not gone. */
  passHeader(): void {
    if (this.hasHeader() && this.headerEntries().length > 0) this.sendHeader();
  }

  /** Messages are copies already. */
  hold(): void {}

  /** A request as the handler gets it. */
  copyRequest(message: unknown): unknown {
    const { target, style, copier } = this;
    try {
      return copier.copy(style.codec(target.schema.desc.input), message, target.input);
    } catch (cause) {
      throw valueError(Status.INVALID_ARGUMENT, `${this.name}: request`, cause);
    }
  }

  /** A result as the caller gets it. */
  copyResult(result: unknown): unknown {
    const { target, style, copier } = this;
    try {
      const theirs = style.codec(target.schema.desc.output);
      return copier.copy(target.output, target.complete(result), theirs);
    } catch (cause) {
      throw valueError(Status.INTERNAL, `${this.name}: reply`, cause);
    }
  }

  /** Gives the caller the trailers; the call is over. */
  finish(): void {
    const trailers = copyOf(this.trailerEntries());
    if (this.end()) this.giveTrailers(trailers);
  }

  /** What the caller gets for what the handler threw; the call is over. */
  fail(error: unknown): RpcError {
    const known = error instanceof RpcError ? error : this.unknownError(error);
    let metadata: MetadataEntry[] = [];
    try {
      this.passHeader();
      metadata = copyOf([...this.trailerEntries(), ...known.metadata]);
    } catch {
      // The status matters more than headers that are none.
    }
    if (this.end()) this.giveTrailers(metadata);
    const { status, reason, details } = known;
    return new RpcError(status, reason, {
      origin: "remote-app",
      details: details.slice(),
      metadata,
    });
  }

  /** The call ends before its handler has: cancelled, late, or because the server closes. */
  cut(error: RpcError): void {
    if (!this.end()) return;
    this.controller.abort(error);
    this.onCut(error);
  }

  private giveTrailers(trailers: MetadataEntry[]): void {
    const { onTrailerEntries } = this.options;
    if (onTrailerEntries !== undefined) giveEntries(onTrailerEntries, trailers);
  }

  private end(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    if (this.timer !== null) clearTimeout(this.timer);
    const { signal } = this.options;
    if (signal !== undefined) removeAbortListener(signal, this.onAbort);
    this.onOver();
    return true;
  }

  private unknownError(error: unknown): RpcError {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.log("error", `handler of ${this.name} threw: ${text}`);
    return new RpcError(Status.UNKNOWN, `handler threw: ${messageOf(error)}`, { cause: error });
  }
}

/** Entries as they arrive; none when they can't be sent. */
function copyOf(entries: readonly MetadataEntry[]): MetadataEntry[] {
  if (entries.length === 0) return [];
  return decodeMetadata(metadataBytes(entries, metadataBytesMax)) ?? [];
}
