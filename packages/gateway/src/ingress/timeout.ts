/** The time for a call, as the protocols write it. */
import { Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";

const millisOf: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1 / 1000,
  n: 1 / 1_000_000,
};

/** The milliseconds of a `grpc-timeout`, not rounded; undefined when there is none. Throws an `RpcError`. */
export function grpcTimeoutMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  if (match === null)
    throw malformed("grpc-timeout", text, "up to 8 digits and one of H M S m u n");
  return Number(match[1]) * millisOf[match[2]!]!;
}

/** The same for `connect-timeout-ms`. */
export function connectTimeoutMs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,10}$/.test(text)) throw malformed("connect-timeout-ms", text, "up to 10 digits");
  return Number(text);
}

function malformed(name: string, text: string, expected: string): RpcError {
  const found = JSON.stringify(text.slice(0, 40));
  return new RpcError(Status.INVALID_ARGUMENT, `${name}: expected ${expected}, found ${found}`);
}
