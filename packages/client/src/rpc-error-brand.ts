/** Tells errors of calls from others without loading what it takes to make one. */
import type { RpcError } from "./errors/rpc-error.ts";

/** On every `RpcError`, whichever copy of this package made it. */
export const rpcErrorBrand: unique symbol = Symbol.for("koala.rpc-error") as never;

/** Whether this is an `RpcError`. */
export function isRpcError(error: unknown): error is RpcError {
  return typeof error === "object" && error !== null && rpcErrorBrand in error;
}
