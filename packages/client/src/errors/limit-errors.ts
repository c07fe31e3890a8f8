/** Errors that name the setting to raise. */
import { Status } from "@koala/interface";
import { RpcError } from "./rpc-error.ts";

const units = ["bytes", "KiB", "MiB", "GiB"] as const;

/** `64 MiB`, `1.5 KiB`, `100 bytes`. */
export function formatBytes(bytes: number): string {
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${Number(value.toFixed(1))} ${units[unit]}`;
}

/** A message beyond the daemon's limit. */
export function tooLargeError(what: string, bytes: number, bytesMax: number): RpcError {
  return new RpcError(
    Status.RESOURCE_EXHAUSTED,
    `${what} of ${formatBytes(bytes)} is larger than limits.message = ${formatBytes(bytesMax)} of the daemon; raise it in koala.toml [limits] message`,
    { retryable: false },
  );
}
