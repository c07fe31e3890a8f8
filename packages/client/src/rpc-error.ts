/** How a call fails, on both sides: what a caller catches and what a handler throws. */
import { KoalaError, type OriginName, Status, statusName } from "@koala/interface";
import type { MetadataEntry } from "@koala/protocol";

const brand = Symbol.for("koala.rpc-error");
const noBytes = new Uint8Array(0);
const retryableStatuses: readonly Status[] = [
  Status.UNAVAILABLE,
  Status.RESOURCE_EXHAUSTED,
  Status.ABORTED,
];

/** What an `RpcError` can carry besides status and message. */
export interface RpcErrorOptions {
  /** Who decided; `app` when not given. For an error thrown by a handler, callers see `remote-app`. */
  origin?: OriginName;
  /** Details as the two sides have agreed on, gRPC's custom being an encoded `google.rpc.Status`. */
  details?: Uint8Array;
  /** Trailers. */
  metadata?: readonly MetadataEntry[];
  /** Overrules what the status says. */
  retryable?: boolean;
  cause?: unknown;
}

/** A call that ended with another status than OK. `code` is `ERR_RPC_<STATUS>`. */
export class RpcError extends KoalaError {
  readonly status: Status;
  readonly statusName: string;
  /** Who decided that the call fails, seen from the caller. */
  readonly origin: OriginName;
  /** The message without the status in front. */
  readonly reason: string;
  readonly details: Uint8Array;
  readonly metadata: readonly MetadataEntry[];
  /** The same call may succeed later. It does not say that the handler has not run. */
  readonly retryable: boolean;

  constructor(status: Status, reason: string, options: RpcErrorOptions = {}) {
    const name = statusName(status);
    super(
      `ERR_RPC_${name}`,
      reason === "" ? name : `${name}: ${reason}`,
      "cause" in options ? { cause: options.cause } : undefined,
    );
    this.name = "RpcError";
    this.status = status;
    this.statusName = name;
    this.origin = options.origin ?? "app";
    this.reason = reason;
    this.details = options.details ?? noBytes;
    this.metadata = options.metadata ?? [];
    this.retryable = options.retryable ?? retryableStatuses.includes(status);
    Object.defineProperty(this, brand, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && brand in value;
  }
}

/** The error for a request or reply that the generated writer refuses; its message names the field. */
export function valueError(status: Status, what: string, cause: unknown): RpcError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new RpcError(status, `${what}: ${reason}`, { cause });
}

/** What an aborted signal means for the call that listens to it. */
export function abortError(reason: unknown): RpcError {
  // The signal of a handler: this call was made on behalf of the one that has ended.
  if (reason instanceof RpcError) {
    const { status } = reason;
    return new RpcError(
      status === Status.DEADLINE_EXCEEDED ? status : Status.CANCELLED,
      `the call that this one was made for has ended: ${reason.reason}`,
      { cause: reason },
    );
  }
  const isTimeout = reason instanceof DOMException && reason.name === "TimeoutError";
  return isTimeout
    ? new RpcError(Status.DEADLINE_EXCEEDED, "the call's AbortSignal timed out", { cause: reason })
    : new RpcError(Status.CANCELLED, "the caller aborted the call", { cause: reason });
}
