/** The way of a streaming call into the library: what the functions of a client do. */
import { Status } from "@koala/interface";
import { enqueue } from "../calls/call.ts";
import { type CallOptions, rawOptions } from "../calls/call-options.ts";
import type { ClientMethod } from "../calls/client-method.ts";
import { takesStream } from "../calls/method-kinds.ts";
import { listenToSignal, submit } from "../calls/submit.ts";
import { abortError, RpcError } from "../errors/rpc-error.ts";
import { ClientStream } from "./client-stream.ts";
import { ResponseStream } from "./response-stream.ts";
import { isIterable, type Messages } from "./stream-outlet.ts";

/**
 * Starts a call of a method that returns a stream, at once. `given`: its request, or its requests. Never throws:
 * whatever goes wrong comes with the first message that is asked for.
 */
export function startStream(
  method: ClientMethod,
  given: unknown,
  options?: CallOptions,
): AsyncIterableIterator<unknown, undefined, undefined> {
  const requests = takesStream(method.schema.kind) ? (given as Messages) : null;
  const stream = ClientStream.withResponses(method, requests, options?.view === true);
  start(stream, method, given, options);
  return new ResponseStream(stream, stream.inbox!);
}

/** Starts a call of a method that takes a stream and returns one message. Never throws. */
export function startClientStream(
  method: ClientMethod,
  requests: Messages,
  options?: CallOptions,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const stream = ClientStream.withReply(method, requests, resolve, reject);
    start(stream, method, requests, options);
  });
}

function start(
  stream: ClientStream,
  method: ClientMethod,
  given: unknown,
  said: CallOptions | undefined,
): void {
  try {
    const options = rawOptions(said);
    const { datapath } = method.binding;
    const { signal } = options;
    if (signal?.aborted === true) throw abortError(signal.reason);
    if (takesStream(method.schema.kind) && !isIterable(given)) throw notIterable(method);
    if (datapath === null || !datapath.isOpen()) {
      enqueue(method, given, options, stream.resolve, stream.reject, stream);
      return;
    }
    const call = submit(datapath, method, given, options, options.timeoutMs);
    if (call === null) {
      enqueue(method, given, options, stream.resolve, stream.reject, stream);
      return;
    }
    call.resolve = stream.resolve;
    call.reject = stream.reject;
    if (signal !== undefined) listenToSignal(datapath, call, signal);
    stream.open(datapath, call);
  } catch (error) {
    stream.reject(error);
  }
}

function notIterable(method: ClientMethod): RpcError {
  return new RpcError(
    Status.INVALID_ARGUMENT,
    `${method.name} takes a stream: expected an iterable of messages, sync or async`,
  );
}
