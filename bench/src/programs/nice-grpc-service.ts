/** The calls of bench.v1.Echo as nice-grpc wants them described. */
import type { MethodDefinition } from "@grpc/grpc-js";
import {
  Echo,
  type EchoReply,
  type EchoRequest,
  type PutReply,
  type PutRequest,
} from "../gen/bench/v1/bench_pb.ts";
import { grpcMethod } from "./grpc-method.ts";

/** nice-grpc tells by the type of a method what its handler is. */
type Unary<I, O> = MethodDefinition<I, O> & {
  readonly requestStream: false;
  readonly responseStream: false;
};

/** Not an interface: nice-grpc wants a type with an index. */
type EchoService = {
  readonly echo: Unary<EchoRequest, EchoReply>;
  readonly put: Unary<PutRequest, PutReply>;
};

const unary = { requestStream: false, responseStream: false } as const;

/** Names of client and server functions come from the keys. */
export const echoService: EchoService = {
  echo: { ...grpcMethod(Echo.method.echo), ...unary },
  put: { ...grpcMethod(Echo.method.put), ...unary },
};
