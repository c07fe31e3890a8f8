/** How a protocol writes the response of a call. */
import type { MetadataEntry } from "@koala/protocol";

/** The outcome of a call. */
export interface Outcome {
  readonly status: number;
  readonly message: string;
  /** An encoded `google.rpc.Status`; empty: none. */
  readonly details: Uint8Array;
  readonly trailers: readonly MetadataEntry[];
}

/** Writes one response, in this order: head, messages, end. */
export interface Responder {
  /** Headers of the response; they go out `now`, or with whatever comes next. */
  header(entries: readonly MetadataEntry[], now: boolean): void;
  /** Sends a message; resolves when there is room for the next one. */
  message(bytes: Uint8Array): Promise<void> | void;
  /** The end; without messages before it when the call has failed early. */
  end(outcome: Outcome): void;
}
