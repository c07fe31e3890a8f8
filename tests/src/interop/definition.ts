/** The interoperability services of gRPC as grpc-js and proto-loader load them from their files. */
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const includeDirs = [fileURLToPath(new URL("../../proto/", import.meta.url))];
const loaded = loadSync("grpc/testing/test.proto", { includeDirs, longs: Number, defaults: true });

/** As `addService` of grpc-js takes it. */
export const testService: grpc.ServiceDefinition = loaded[
  "grpc.testing.TestService"
] as grpc.ServiceDefinition;

/** A service that no server has. */
export const unimplementedService: grpc.ServiceDefinition = loaded[
  "grpc.testing.UnimplementedService"
] as grpc.ServiceDefinition;

/** Makes clients as proto-loader's users do. */
export const TestServiceClient: grpc.ServiceClientConstructor = grpc.makeClientConstructor(
  testService,
  "grpc.testing.TestService",
);

export const UnimplementedServiceClient: grpc.ServiceClientConstructor = grpc.makeClientConstructor(
  unimplementedService,
  "grpc.testing.UnimplementedService",
);

export interface Payload {
  type?: number;
  body: Uint8Array;
}

export interface EchoStatus {
  code: number;
  message: string;
}

export interface SimpleRequest {
  responseSize?: number;
  payload?: Payload | null;
  responseStatus?: EchoStatus | null;
}

export interface OutputRequest {
  responseParameters?: { size?: number; intervalUs?: number }[];
  payload?: Payload | null;
  responseStatus?: EchoStatus | null;
}

export interface InputRequest {
  payload?: Payload | null;
}

export interface PayloadResponse {
  payload?: Payload | null;
}

export interface InputResponse {
  aggregatedPayloadSize?: number;
}

type Reply<T> = (error: grpc.ServiceError | null, value?: T) => void;

/** What is called of a client; the client itself has no types. */
export interface InteropClient extends grpc.Client {
  emptyCall(request: object, reply: Reply<object>): grpc.ClientUnaryCall;
  unaryCall(
    request: SimpleRequest,
    metadata: grpc.Metadata,
    reply: Reply<PayloadResponse>,
  ): grpc.ClientUnaryCall;
  streamingOutputCall(request: OutputRequest): grpc.ClientReadableStream<PayloadResponse>;
  streamingInputCall(
    metadata: grpc.Metadata,
    reply: Reply<InputResponse>,
  ): grpc.ClientWritableStream<InputRequest>;
  fullDuplexCall(
    metadata?: grpc.Metadata,
    options?: grpc.CallOptions,
  ): grpc.ClientDuplexStream<OutputRequest, PayloadResponse>;
  unimplementedCall(request: object, reply: Reply<object>): grpc.ClientUnaryCall;
}
