/** The functions of a client whose calls never leave the process. */
import type { DescMethod } from "@bufbuild/protobuf";
import { messageOf, Status } from "@koala/interface";
import { type CallOptions, type RawCallOptions, rawOptions } from "../calls/call-options.ts";
import type { MessageStyle } from "../calls/message-style.ts";
import { RpcError, valueError } from "../errors/rpc-error.ts";
import type { CallFunction } from "../interceptors/client-interception.ts";
import { MessagePipe, type PipeHooks } from "../streams/message-pipe.ts";
import { isIterable, type Messages } from "../streams/stream-outlet.ts";
import type { LoopbackCall } from "./loopback-call.ts";

/** Begins a call of a method; throws an `RpcError` when it can't be made. */
export type OpenCall = (options: RawCallOptions) => LoopbackCall;

/** The function for a method. */
export function loopbackFunction(
  desc: DescMethod,
  style: MessageStyle,
  open: OpenCall,
): CallFunction {
  const complete = style.completer(desc.input);
  const isStream = desc.methodKind === "client_streaming" || desc.methodKind === "bidi_streaming";
  const begin = (given: unknown, options: CallOptions | undefined): [LoopbackCall, unknown] => {
    const call = open(rawOptions(options));
    const nameOf = (): string => `${call.name}: request`;
    const copy = (init: unknown): unknown => {
      try {
        return call.copyRequest(complete(init));
      } catch (cause) {
        if (cause instanceof RpcError) throw cause;
        throw valueError(Status.INVALID_ARGUMENT, nameOf(), cause);
      }
    };
    try {
      return [call, isStream ? requestsOf(call, given, copy) : copy(given)];
    } catch (error) {
      call.cut(error as RpcError);
      throw error;
    }
  };
  if (desc.methodKind === "unary" || desc.methodKind === "client_streaming") {
    return async (given, options) => {
      const [call, request] = begin(given, options);
      return await single(call, request);
    };
  }
  return (given, options) => {
    let begun: [LoopbackCall, unknown];
    try {
      begun = begin(given, options);
    } catch (error) {
      return failed(error);
    }
    return responsesOf(begun[0], begun[1]);
  };
}

/** The only response, when it comes before the call is cut. */
async function single(call: LoopbackCall, request: unknown): Promise<unknown> {
  return await new Promise((resolve, reject) => {
    onCut(call, reject);
    run(call, request).then(
      (result) => {
        if (call.isOver) return;
        try {
          const reply = call.copyResult(result);
          call.passHeader();
          call.finish();
          resolve(reply);
        } catch (error) {
          reject(call.fail(error));
        }
      },
      (error) => {
        if (!call.isOver) reject(call.fail(error));
      },
    );
  });
}

function responsesOf(call: LoopbackCall, request: unknown): MessagePipe {
  const hooks: PipeHooks = {
    copy: (message) => {
      call.passHeader();
      return call.copyResult(message);
    },
    onSourceEnd: (error) => {
      if (error !== null) return call.isOver ? null : call.fail(error);
      call.passHeader();
      return null;
    },
    onReaderEnd: (isEarly) => {
      if (isEarly) call.cut(new RpcError(Status.CANCELLED, "the caller cancelled the call"));
      else if (!call.isOver) call.finish();
    },
  };
  const pipe = new MessagePipe(hooks);
  onCut(call, (error) => pipe.fail(error));
  void pipe.pump(run(call, request) as Promise<Messages>);
  return pipe;
}

function requestsOf(
  call: LoopbackCall,
  given: unknown,
  copy: (init: unknown) => unknown,
): MessagePipe {
  if (!isIterable(given)) {
    throw new RpcError(
      Status.INVALID_ARGUMENT,
      `${call.name} takes a stream: expected an iterable of messages, sync or async`,
    );
  }
  const pipe = new MessagePipe({
    copy,
    onSourceEnd: (error) => {
      if (error === null) return null;
      const reason = `the requests of the call ended with an error: ${messageOf(error)}`;
      const known =
        error instanceof RpcError
          ? error
          : new RpcError(Status.CANCELLED, reason, { cause: error });
      call.cut(known);
      return known;
    },
    onReaderEnd: () => {},
  });
  onCut(call, (error) => pipe.fail(error));
  void pipe.pump(Promise.resolve(given as Messages));
  const { onOver } = call;
  call.onOver = () => {
    onOver();
    pipe.fail(null);
  };
  return pipe;
}

/** The handler begins later, as in another process. */
async function run(call: LoopbackCall, request: unknown): Promise<unknown> {
  await null;
  return await call.target.handler!(request, call);
}

function onCut(call: LoopbackCall, listener: (error: RpcError) => void): void {
  const before = call.onCut;
  call.onCut = (error) => {
    before(error);
    listener(error);
  };
}

function failed(error: unknown): MessagePipe {
  const pipe = new MessagePipe({
    copy: (message) => message,
    onSourceEnd: () => error,
    onReaderEnd: () => {},
  });
  void pipe.pump(Promise.resolve([]));
  return pipe;
}
