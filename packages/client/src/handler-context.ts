/** What a handler knows about the call it serves, and can say beside its result. */
import type { MetadataEntry } from "@koala/protocol";

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
  /** The caller's headers. */
  readonly metadata: readonly MetadataEntry[];
  /** Trailers for the caller. Assign before the handler returns or throws. */
  responseMetadata: readonly MetadataEntry[];
  /**
   * For services registered with `view: true`: the request stays valid after the handler has returned,
   * until `release(request)`.
   */
  hold(): void;
}
