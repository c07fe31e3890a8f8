/** How a call fails, on both sides: what a caller catches and what a handler throws. */
import { type InspectOptions, inspect } from "node:util";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { KoalaError, type OriginName, Status, statusName } from "@koala/interface";
import type { MetadataEntry } from "@koala/protocol";
import { isRpcError, rpcErrorBrand } from "../rpc-error-brand.ts";
import { detailTypes, encodeDetails, findDetails, type OutgoingDetail } from "./status-details.ts";

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
  /**
   * Messages of any types, which go as an encoded `google.rpc.Status`, as is the custom of gRPC; or bytes as the
   * two sides have agreed on.
   */
  details?: Uint8Array | readonly OutgoingDetail[];
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
  /** As they travel; see {@link RpcError.findDetails}. */
  readonly details: Uint8Array;
  /** Trailers. */
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
    this.details = bytesOf(status, reason, options.details ?? noBytes);
    this.metadata = options.metadata ?? [];
    this.retryable = options.retryable ?? retryableStatuses.includes(status);
    Object.defineProperty(this, rpcErrorBrand, { value: true });
  }

  /** Name of the policy that denied the call; undefined for other origins. */
  get policy(): string | undefined {
    return this.trailer("koala-policy");
  }

  /** Name of that policy's rule, when it has rules. */
  get rule(): string | undefined {
    return this.trailer("koala-rule");
  }

  /** What the daemon's logs and traces call the call, for `koalactl explain`; undefined when the error has none. */
  get requestId(): string | undefined {
    return this.trailer("koala-request-id");
  }

  /** The details of one type, such as `ErrorInfoSchema` of `@koala/mrpc/google-rpc`. */
  findDetails<Desc extends DescMessage>(desc: Desc): MessageShape<Desc>[] {
    return findDetails(this.details, desc);
  }

  /** Status, message, and who decided. */
  override toString(): string {
    const { name, message, origin, policy, rule, requestId } = this;
    const who = policy === undefined ? origin : `policy ${policy}`;
    const parts = [`from ${who}`];
    if (rule !== undefined) parts.push(`rule ${rule}`);
    if (requestId !== undefined) parts.push(`request ${requestId}`);
    return `${name}: ${message} (${parts.join(", ")})`;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return isRpcError(value);
  }

  private trailer(name: string): string | undefined {
    const value = this.metadata.find(([key]) => key === name)?.[1];
    return typeof value === "string" ? value : undefined;
  }
}

/** For `console.log` and `util.inspect`: the stack, and what is known besides. */
function inspectError(this: RpcError, depth: number, options: InspectOptions): string {
  if (depth < 0) return `[${this.toString()}]`;
  const { code, origin, policy, rule, requestId, retryable, metadata, details, cause } = this;
  const types = detailTypes(details);
  const facts = {
    code,
    origin,
    ...(policy !== undefined && { policy }),
    ...(rule !== undefined && { rule }),
    ...(requestId !== undefined && { requestId }),
    retryable,
    ...(metadata.length > 0 && { metadata }),
    ...(details.length > 0 && { details: types.length > 0 ? types : details }),
    ...(cause !== undefined && { cause }),
  };
  return `${this.stack ?? this.toString()} ${inspect(facts, options)}`;
}

Object.defineProperty(RpcError.prototype, inspect.custom, { value: inspectError });

function bytesOf(
  status: Status,
  reason: string,
  details: Uint8Array | readonly OutgoingDetail[],
): Uint8Array {
  return details instanceof Uint8Array ? details : encodeDetails(status, reason, details);
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
