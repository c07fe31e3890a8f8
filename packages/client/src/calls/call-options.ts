/** What a caller can say about one call. */
import { Status } from "@koala/interface";
import { encodeMetadata, type MetadataEntry } from "@koala/protocol";
import { RpcError } from "../errors/rpc-error.ts";
import { entriesOfInit, type HeadersInit, headersOf } from "../headers/header-fields.ts";
import { parseTrace } from "../headers/trace-parent.ts";
import type { ContextValues } from "../interceptors/context-values.ts";
import type { HandlerContext } from "../serving/handler-context.ts";
import { joinedSignal } from "./joined-signal.ts";

/** Receives headers or trailers in the form that calls carry them. */
export type EntriesListener = (entries: MetadataEntry[]) => void;

/** What the way of a call knows; the fast form of {@link CallOptions}. */
export interface RawCallOptions {
  /** Time for the whole call, waiting included; the call ends with DEADLINE_EXCEEDED after it. */
  timeoutMs?: number | undefined;
  /** Ends the call with CANCELLED, at once. */
  signal?: AbortSignal | undefined;
  /**
   * Headers for the handler as entries, which costs less than `headers`. Keys in lower case; those that end in
   * `-bin` carry bytes.
   */
  metadata?: readonly MetadataEntry[] | undefined;
  /** The trace that the call belongs to: the 32 bytes of the slot. */
  trace?: Uint8Array | undefined;
  /** Wait for a server instead of failing with UNAVAILABLE when there is none. */
  waitForReady?: boolean | undefined;
  /**
   * Resolve with a view of shared memory instead of a copy: same type, read on access, nothing copied.
   * It must not be written to, and is valid until `release(message)`.
   */
  view?: boolean | undefined;
  /** `onHeader` with entries. */
  onHeaderEntries?: EntriesListener | undefined;
  /** `onTrailer` with entries. */
  onTrailerEntries?: EntriesListener | undefined;
}

/** What a caller can say about one call. */
export interface CallOptions extends Omit<RawCallOptions, "trace"> {
  /** Headers for the handler, after those of `metadata`. Values of names that end in `-bin` are base64. */
  headers?: HeadersInit | undefined;
  /** Called with the headers of the response before its first message, when there are any or `sendHeader` was called. */
  onHeader?: ((headers: Headers) => void) | undefined;
  /** Called with the trailers before the call settles, when there are any. */
  onTrailer?: ((trailers: Headers) => void) | undefined;
  /** For interceptors of the client. */
  contextValues?: ContextValues | undefined;
  /**
   * The call on whose behalf this one is made: it ends when that one is cancelled or its time is over, and
   * belongs to the same trace.
   */
  parent?: HandlerContext | undefined;
}

/** Of calls without options; shared, so that all calls look alike. */
export const noOptions: RawCallOptions = Object.freeze({});

/** The fast form of a caller's options. Throws an `RpcError` for headers that are no headers. */
export function rawOptions(options: CallOptions | undefined): RawCallOptions {
  if (options === undefined) return noOptions;
  const { headers, onHeader, onTrailer, parent } = options;
  if (
    headers === undefined &&
    onHeader === undefined &&
    onTrailer === undefined &&
    parent === undefined
  ) {
    return options;
  }
  const raw: RawCallOptions = {
    timeoutMs: options.timeoutMs,
    signal: options.signal,
    metadata: options.metadata,
    waitForReady: options.waitForReady,
    view: options.view,
    onHeaderEntries: listenerOf(onHeader, options.onHeaderEntries),
    onTrailerEntries: listenerOf(onTrailer, options.onTrailerEntries),
  };
  if (headers !== undefined) raw.metadata = [...(raw.metadata ?? []), ...entriesOfInit(headers)];
  if (parent !== undefined) inherit(raw, parent);
  return raw;
}

function listenerOf(
  onHeaders: ((headers: Headers) => void) | undefined,
  onEntries: EntriesListener | undefined,
): EntriesListener | undefined {
  if (onHeaders === undefined) return onEntries;
  return (entries) => {
    onEntries?.(entries);
    onHeaders(headersOf(entries));
  };
}

/** Time, cancellation and trace of the call that this one is made for. */
function inherit(raw: RawCallOptions, parent: HandlerContext): void {
  const { timeoutMs, signal, traceparent } = parent;
  if (timeoutMs !== undefined) raw.timeoutMs = Math.min(raw.timeoutMs ?? timeoutMs, timeoutMs);
  raw.signal = raw.signal === undefined ? signal : joinedSignal(raw.signal, signal);
  if (traceparent === undefined) return;
  raw.trace = parseTrace(traceparent);
  // Handlers that look for the header find it all along the way, once it was there.
  const own = raw.metadata ?? [];
  const passed: MetadataEntry[] = [];
  for (const [key, value] of parent.metadata) {
    if (own.some(([name]) => name === key)) continue;
    if (key === "traceparent") passed.push([key, traceparent]);
    else if (key === "tracestate") passed.push([key, value]);
  }
  if (passed.length > 0) raw.metadata = [...own, ...passed];
}
const timeoutMsMax = 0x7fffffff;

/** Milliseconds for the slot: at least 1, 0 for no limit. Throws for what is no time. */
export function timeoutWord(timeoutMs: number | undefined): number {
  if (timeoutMs === undefined || timeoutMs === Number.POSITIVE_INFINITY) return 0;
  if (typeof timeoutMs !== "number" || Number.isNaN(timeoutMs)) {
    throw new RpcError(
      Status.INVALID_ARGUMENT,
      `timeoutMs: expected a number of milliseconds, found ${String(timeoutMs)}`,
    );
  }
  if (timeoutMs <= 0) {
    throw new RpcError(Status.DEADLINE_EXCEEDED, `the call began with timeoutMs ${timeoutMs}`);
  }
  return Math.min(Math.ceil(timeoutMs), timeoutMsMax);
}

/** Encoded metadata; throws an `RpcError` for a key that is no good and for more than `bytesMax`. */
export function metadataBytes(entries: readonly MetadataEntry[], bytesMax: number): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = encodeMetadata(entries);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RpcError(Status.INVALID_ARGUMENT, reason, { cause });
  }
  if (bytes.length > bytesMax) {
    throw new RpcError(
      Status.RESOURCE_EXHAUSTED,
      `metadata of ${bytes.length} bytes is larger than limits.metadata = ${bytesMax} bytes of the daemon; raise it in koala.toml [limits] metadata`,
      { retryable: false },
    );
  }
  return bytes;
}
