/**
 * Clients and service implementations of grpc-js, and clients of nice-grpc, over Koala.
 *
 * @packageDocumentation
 */
export type { DescriptorSource } from "./descriptor-source.ts";
export type { GrpcService } from "./grpc-service.ts";
export type { HandlerCall } from "./handler-call.ts";
export { type KoalaChannelOptions, koalaChannel } from "./koala-channel.ts";
export { KoalaServer, type KoalaServerOptions } from "./koala-server.ts";
export { type GrpcJsServer, type ServeGrpcJsOptions, serveGrpcJs } from "./serve-grpc-js.ts";
