/** What a caller can say about one call. */
import { Status } from "@koala/interface";
import { encodeMetadata, type MetadataEntry } from "@koala/protocol";
import { RpcError } from "./rpc-error.ts";

export interface CallOptions {
  /** Time for the whole call, waiting included; the call ends with DEADLINE_EXCEEDED after it. */
  timeoutMs?: number | undefined;
  /** Ends the call with CANCELLED, at once. */
  signal?: AbortSignal | undefined;
  /** Headers for the handler. Keys in lower case; those that end in `-bin` carry bytes. */
  metadata?: readonly MetadataEntry[] | undefined;
  /** Wait for a server instead of failing with UNAVAILABLE when there is none. */
  waitForReady?: boolean | undefined;
  /**
   * Resolve with a view of shared memory instead of a copy: same type, read on access, nothing copied.
   * It must not be written to, and is valid until `release(message)`.
   */
  view?: boolean | undefined;
  /** Called with the trailers before the call settles, when there are any. */
  onTrailer?: ((entries: MetadataEntry[]) => void) | undefined;
}

/** Of calls without options; shared, so that all calls look alike. */
export const noOptions: CallOptions = Object.freeze({});

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
