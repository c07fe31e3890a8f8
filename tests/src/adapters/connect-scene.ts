/**
 * Calls of connect-es whose outcome must be the same whatever carries them: what scenes are made of, and how what was
 * seen is told. Neither this nor the scenes know Koala.
 */
import {
  type Client,
  Code,
  ConnectError,
  type ConnectRouter,
  type ConnectRouterOptions,
  createClient,
  type HandlerContext,
  type Interceptor,
  type ServiceImpl,
  type Transport,
} from "@connectrpc/connect";
import { ErrorInfoSchema } from "@koala/mrpc/google-rpc";
import { River } from "../gen/test/v1/river_pb.ts";

export type RouterOptions = Pick<
  ConnectRouterOptions,
  "interceptors" | "maxTimeoutMs" | "shutdownSignal"
>;
export type Routes = (router: ConnectRouter) => void;
export type Impl = Partial<ServiceImpl<typeof River>>;
type RiverClient = Client<typeof River>;

/** A transport to a server of these routes. */
export type Carry = (
  routes: Routes,
  options?: { router?: RouterOptions; interceptors?: Interceptor[]; defaultTimeoutMs?: number },
) => Promise<Transport>;

/** What was seen, in words that can be compared. */
export type Scene = (carry: Carry) => Promise<unknown>;

/** What a `ConnectError` says; headers that belong to HTTP are left out. */
export function told(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return { thrown: String(error) };
  const { code, rawMessage, metadata } = error;
  return {
    code: Code[code],
    rawMessage,
    metadata: fields(metadata),
    details: error.findDetails(ErrorInfoSchema).map(({ reason, domain }) => `${reason} ${domain}`),
  };
}

export function codeOf(error: unknown): string {
  return error instanceof ConnectError ? Code[error.code]! : String(error);
}

export async function failed(call: Promise<unknown>): Promise<unknown> {
  return await call.then(() => "no failure", told);
}

/** Headers of the tests' own. */
export function fields(headers: Headers): string[] {
  return [...headers].filter(([key]) => key.startsWith("x-")).map((field) => field.join("="));
}

export function bytes(n: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(n).map((_, i) => i * 7);
}

export async function all<T>(
  messages: AsyncIterable<T>,
  what: (message: T) => unknown,
): Promise<unknown> {
  const seen: unknown[] = [];
  try {
    for await (const message of messages) seen.push(what(message));
  } catch (error) {
    seen.push(told(error));
  }
  return seen;
}

export async function* drops(count: number): AsyncGenerator<{ serial: bigint; data: Uint8Array }> {
  for (let i = 0; i < count; i++) yield { serial: BigInt(i), data: bytes(i) };
}

export const river: Impl = {
  async *flow({ count, bytes: size }) {
    for (let i = 0; i < count; i++) yield { serial: BigInt(i), data: bytes(size) };
  },
  async collect(requests) {
    let count = 0;
    let serials = 0n;
    for await (const { serial } of requests) {
      count++;
      serials += serial;
    }
    return { count, serials };
  },
  async *mirror(requests) {
    for await (const request of requests) yield request;
  },
  still: (request) => ({ ...request, text: `${request.text}!` }),
};

export async function clientOf(
  carry: Carry,
  impl: Impl = river,
  options: Parameters<Carry>[1] = {},
): Promise<RiverClient> {
  return createClient(River, await carry((r) => void r.service(River, impl), options));
}

/** Never ends by itself. */
export function untilAborted({ signal }: Pick<HandlerContext, "signal">): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}
