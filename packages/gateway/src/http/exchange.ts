/** One request of HTTP and its response, whichever version it came by. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import type { MetadataEntry } from "@koala/mrpc";

/** What the protocols above HTTP need of it. */
export interface Exchange {
  readonly isHttp2: boolean;
  /** `POST`. */
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Who is at the other end, as metadata. */
  readonly caller: readonly MetadataEntry[];
  /** Nothing is read from the peer while it is paused. */
  readonly body: Readable;
  /** Aborted when the peer is gone, or has reset the exchange, before the response was complete. */
  readonly signal: AbortSignal;
  /** Whether `respond` was called. */
  readonly hasResponded: boolean;
  /** Sends the head of the response. */
  respond(status: number, headers: OutgoingHttpHeaders): void;
  /** Sends a part of the body; false: wait for `drained` before the next one. */
  write(bytes: Uint8Array): boolean;
  /** Resolves when there is room again, or nobody reads any more. */
  drained(): Promise<void>;
  /** Ends the response; trailers for HTTP/2 only, and only when `respond` was called. */
  end(trailers?: OutgoingHttpHeaders): void;
  /** Ends everything without a proper end of the response. */
  abort(): void;
}
