/** A service that the gateway answers itself, with messages as objects. */
import {
  create,
  type DescMethod,
  type DescMethodBiDiStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { messageOf, Status } from "@koala/interface";
import { RpcError } from "@koala/mrpc";
import type { BackendOptions } from "./backend.ts";
import { type OwnService, registryOf } from "./service-catalog.ts";

/** A function for each method. The signal is aborted with an `RpcError` when the call is to end. */
export type OwnHandlers<Service extends DescService> = {
  readonly [Name in keyof Service["method"]]: Service["method"][Name] extends DescMethodUnary<
    infer Input,
    infer Output
  >
    ? (
        request: MessageShape<Input>,
        signal: AbortSignal,
      ) => MessageInitShape<Output> | Promise<MessageInitShape<Output>>
    : Service["method"][Name] extends DescMethodServerStreaming<infer Input, infer Output>
      ? (
          request: MessageShape<Input>,
          signal: AbortSignal,
        ) => AsyncIterable<MessageInitShape<Output>>
      : Service["method"][Name] extends DescMethodBiDiStreaming<infer Input, infer Output>
        ? (
            requests: AsyncIterable<MessageShape<Input>>,
            signal: AbortSignal,
          ) => AsyncIterable<MessageInitShape<Output>>
        : never;
};

type AnyHandler = (request: unknown, signal: AbortSignal) => unknown;

/** The service, for a catalog. */
export function ownService<Service extends DescService>(
  desc: Service,
  handlers: OwnHandlers<Service>,
): OwnService {
  const byName = handlers as unknown as Readonly<Record<string, AnyHandler>>;
  return {
    desc,
    registry: registryOf(desc.file),
    backend: {
      service: desc,
      async unary(method, request, options) {
        const handler = byName[method.localName]!;
        return await alive(options, async (signal) => {
          return written(method, await handler(read(method, request), signal));
        });
      },
      async *stream(method, requests, options) {
        const handler = byName[method.localName]!;
        const end = endOf(options);
        const input = readAll(method, requests);
        try {
          const request =
            method.methodKind === "server_streaming" ? (await input.next()).value : input;
          const messages = handler(request, end.signal) as AsyncIterable<unknown>;
          for await (const message of messages) {
            end.signal.throwIfAborted();
            yield written(method, message);
          }
          end.signal.throwIfAborted();
        } finally {
          end.clear();
        }
      },
    },
  };
}

/** Aborted by what ends a call from outside. */
function endOf({ signal, timeoutMs }: BackendOptions): { signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const onAbort = (): void => {
    controller.abort(new RpcError(Status.CANCELLED, "the caller has cancelled the call"));
  };
  const onTime = (): void => {
    const text = `the call took longer than ${timeoutMs} ms`;
    controller.abort(new RpcError(Status.DEADLINE_EXCEEDED, text));
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort);
  const timer =
    timeoutMs === undefined ? undefined : setTimeout(onTime, Math.min(timeoutMs, 0x7fffffff));
  const clear = (): void => {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  };
  return { signal: controller.signal, clear };
}

async function alive<T>(
  options: BackendOptions,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const end = endOf(options);
  try {
    return await new Promise<T>((resolve, reject) => {
      end.signal.addEventListener("abort", () => reject(end.signal.reason));
      end.signal.throwIfAborted();
      run(end.signal).then(resolve, reject);
    });
  } finally {
    end.clear();
  }
}

function read(method: DescMethod, bytes: Uint8Array): unknown {
  try {
    return fromBinary(method.input, bytes);
  } catch (cause) {
    const what = `${method.parent.typeName}/${method.name}: the request is no ${method.input.typeName}`;
    throw new RpcError(Status.INVALID_ARGUMENT, `${what}: ${messageOf(cause)}`, { cause });
  }
}

async function* readAll(
  method: DescMethod,
  requests: AsyncIterable<Uint8Array>,
): AsyncGenerator<unknown> {
  for await (const bytes of requests) yield read(method, bytes);
}

function written(method: DescMethod, message: unknown): Uint8Array {
  return toBinary(method.output, create(method.output, message as never));
}
