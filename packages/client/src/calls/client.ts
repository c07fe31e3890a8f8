/** Typed functions over a binding. */
import type {
  DescMessage,
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { type CallFunction, intercepted } from "../interceptors/client-interception.ts";
import type { Interceptor } from "../interceptors/interceptor.ts";
import type { ServiceBinding } from "../mesh/service-binding.ts";
import { startClientStream, startStream } from "../streams/stream-call.ts";
import type { Messages } from "../streams/stream-outlet.ts";
import { startCall } from "./call.ts";
import { type CallOptions, rawOptions } from "./call-options.ts";
import type { ClientMethod } from "./client-method.ts";
import { returnsStream, takesStream } from "./method-kinds.ts";

/**
 * A function for each method of a service, by its name in JavaScript. It takes a message, or a plain object of its
 * fields, or an iterable of them, and gives a promise of a message, or an iterable of them. Calls begin at once,
 * also those whose responses nobody has asked for yet; they fail with an `RpcError`.
 */
export type Client<Service extends DescService> = {
  readonly [Name in keyof Service["method"]]: ClientFunction<Service["method"][Name]>;
};

/** The function for a method. */
export type ClientFunction<Method extends DescMethod> =
  Method extends DescMethodUnary<infer Input, infer Output>
    ? UnaryFunction<Input, Output>
    : Method extends DescMethodServerStreaming<infer Input, infer Output>
      ? (
          request: MessageInitShape<Input>,
          options?: CallOptions,
        ) => AsyncIterable<MessageShape<Output>>
      : Method extends DescMethodClientStreaming<infer Input, infer Output>
        ? (requests: Requests<Input>, options?: CallOptions) => Promise<MessageShape<Output>>
        : Method extends DescMethodBiDiStreaming<infer Input, infer Output>
          ? (
              requests: Requests<Input>,
              options?: CallOptions,
            ) => AsyncIterable<MessageShape<Output>>
          : never;

/** The function for a unary method. */
export interface UnaryFunction<Input extends DescMessage, Output extends DescMessage> {
  (
    request: MessageInitShape<Input>,
    options: CallOptions & { view: true },
  ): Promise<MessageShape<Output> & Disposable>;
  (request: MessageInitShape<Input>, options?: CallOptions): Promise<MessageShape<Output>>;
}

/** What a method that takes a stream is given. */
export type Requests<Input extends DescMessage> =
  | AsyncIterable<MessageInitShape<Input>>
  | Iterable<MessageInitShape<Input>>;

/** What a client can be told. */
export interface ClientOptions {
  /** Around each call of this client, inside those of the mesh. */
  interceptors?: readonly Interceptor[];
}

/** The client of a binding. */
export function clientOf<Service extends DescService>(
  binding: ServiceBinding,
  service: Service,
  interceptors: readonly Interceptor[],
): Client<Service> {
  const client: Record<string, CallFunction> = {};
  service.methods.forEach((method, index) => {
    const direct = callFunction(binding.methods[index]!);
    client[method.localName] =
      interceptors.length === 0 ? direct : intercepted(method, direct, interceptors);
  });
  return client as Client<Service>;
}

function callFunction(method: ClientMethod): CallFunction {
  const { kind } = method.schema;
  if (returnsStream(kind)) return (given, options) => startStream(method, given, options);
  if (takesStream(kind)) {
    return (requests, options) => startClientStream(method, requests as Messages, options);
  }
  return (request, options) => {
    try {
      return startCall(method, request, rawOptions(options));
    } catch (error) {
      return Promise.reject(error);
    }
  };
}
