/** Runs a handler of grpc-js for a call, by the four kinds of methods. */
import { Metadata, type ServerInterceptingCallInterface, type sendUnaryData } from "@grpc/grpc-js";
import { Status } from "@koala/interface";
import type { HandlerContext } from "@koala/mrpc/raw";
import { statusOfHandlerError } from "./call-status.ts";
import { type Handled, StreamHandlerCall, UnaryHandlerCall } from "./handler-call.ts";
import type { AnyServerMethod } from "./server-call.ts";

/** A function of an implementation. */
export type AnyHandler = (call: unknown, callback?: sendUnaryData<unknown>) => void;

/** `call` is behind the interceptors. */
export function runHandler(
  handler: AnyHandler,
  method: AnyServerMethod,
  call: ServerInterceptingCallInterface,
  context: HandlerContext,
): void {
  const { path, requestStream, responseStream } = method;
  const respond = responseStream ? undefined : responder(call);
  let metadata = new Metadata();
  let running: UnaryHandlerCall | StreamHandlerCall | undefined;
  let request: unknown;
  let hasRequest = false;

  const run = (): void => {
    const handled: Handled = { path, call, metadata, context };
    running =
      requestStream || responseStream
        ? new StreamHandlerCall(handled, requestStream, request)
        : new UnaryHandlerCall(handled, request);
    try {
      handler(running, respond);
    } catch {
      // As grpc-js's server: what the error says may be nobody else's business.
      call.sendStatus({ code: Status.UNKNOWN, details: "Unknown error" });
    }
  };

  call.start({
    onReceiveMetadata(received) {
      metadata = received;
      if (requestStream) run();
      else call.startRead();
    },
    onReceiveMessage(message) {
      if (requestStream) {
        (running as StreamHandlerCall).push(message);
        return;
      }
      request = message;
      hasRequest = true;
      call.startRead();
    },
    onReceiveHalfClose() {
      if (requestStream) (running as StreamHandlerCall).push(null);
      else if (hasRequest) run();
      else call.sendStatus({ code: Status.UNIMPLEMENTED, details: `${path}: no request came` });
    },
    onCancel() {
      if (running === undefined) return;
      running.cancelled = true;
      running.emit("cancelled", "cancelled");
      if (running instanceof StreamHandlerCall) running.destroy();
    },
  });
}

/** What handlers of methods that return one message call back. */
function responder(call: ServerInterceptingCallInterface): sendUnaryData<unknown> {
  return (error, value, trailers) => {
    if (error) {
      call.sendStatus(statusOfHandlerError(error, trailers));
      return;
    }
    call.sendMessage(value, () => {
      call.sendStatus({ code: Status.OK, details: "OK", metadata: trailers ?? null });
    });
  };
}
