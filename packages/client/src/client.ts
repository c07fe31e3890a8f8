/** Typed functions over a binding. */
import type {
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { startCall } from "./call.ts";
import { type CallOptions, rawOptions } from "./call-options.ts";
import { type CallFunction, intercepted } from "./client-interception.ts";
import type { ClientMethod } from "./client-method.ts";
import type { Interceptor } from "./interceptor.ts";
import type { ServiceBinding } from "./service-binding.ts";

/**
 * A function for each unary method of a service, by its name in JavaScript. It takes a message or a plain
 * object of its fields and rejects with an `RpcError`.
 */
export type Client<Service extends DescService> = {
  readonly [Name in keyof Service["method"] as Service["method"][Name] extends DescMethodUnary
    ? Name
    : never]: Service["method"][Name] extends DescMethodUnary<infer Input, infer Output>
    ? (request: MessageInitShape<Input>, options?: CallOptions) => Promise<MessageShape<Output>>
    : never;
};

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
    if (method.methodKind !== "unary") return;
    const direct = callFunction(binding.methods[index]!);
    client[method.localName] =
      interceptors.length === 0 ? direct : intercepted(method, direct, interceptors);
  });
  return client as Client<Service>;
}

function callFunction(method: ClientMethod): CallFunction {
  return (request, options) => {
    try {
      return startCall(method, request, rawOptions(options));
    } catch (error) {
      return Promise.reject(error);
    }
  };
}
