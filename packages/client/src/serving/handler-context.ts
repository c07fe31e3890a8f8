/** What a handler knows about the call it serves, and can say beside its result. */
import type { MetadataEntry } from "@koala/protocol";
import type { ContextValues } from "../interceptors/context-values.ts";

export interface HandlerContext {
  /** Full name of the service, `geo.v1.Geo`. */
  readonly service: string;
  /** Name of the method, `Nearest`. */
  readonly method: string;
  /** Aborted when the caller cancels, the deadline passes, the connection or the server ends. */
  readonly signal: AbortSignal;
  /** Milliseconds left for the call, not below 0; undefined when the caller set no limit. */
  readonly timeoutMs: number | undefined;
  /** When the call must have ended; undefined when the caller set no limit. */
  readonly deadline: Date | undefined;
  /** The caller's headers. Made from `metadata` when asked for; values of `-bin` names are base64. */
  readonly requestHeader: Headers;
  /** Headers for the caller. They go out before the first message of the response. */
  readonly responseHeader: Headers;
  /** Trailers for the caller. They go out when the handler has ended, after those of `responseMetadata`. */
  readonly responseTrailer: Headers;
  /** Values that interceptors have left for the handler. */
  readonly values: ContextValues;
  /** The trace that the call belongs to, as in W3C's header; undefined when it has none. */
  readonly traceparent: string | undefined;
  /** The caller's headers as entries, which costs less than `requestHeader`. */
  readonly metadata: readonly MetadataEntry[];
  /** Headers for the caller as entries, before those of `responseHeader`. */
  responseHeaderMetadata: readonly MetadataEntry[];
  /** Trailers for the caller as entries. Assign before the handler returns or throws. */
  responseMetadata: readonly MetadataEntry[];
  /**
   * Sends the headers of the response now, also if there are none: the caller sees that the response has begun. Does
   * nothing the second time, and when the call is over.
   */
  sendHeader(): void;
  /**
   * For services registered with `view: true`: the request stays valid after the handler has returned,
   * until `release(request)`.
   */
  hold(): void;
}
