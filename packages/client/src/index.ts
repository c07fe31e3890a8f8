/**
 * What applications import: `connect`, `serve`, and what comes with calls.
 *
 * @packageDocumentation
 */
export { KoalaError, Origin, type OriginName, Status, statusName } from "@koala/interface";
export type { MetadataEntry, ServiceOffer } from "@koala/protocol";
export type { CallOptions, EntriesListener } from "./calls/call-options.ts";
export type { Client, ClientOptions } from "./calls/client.ts";
export { RpcError, type RpcErrorOptions } from "./errors/rpc-error.ts";
export type { OutgoingDetail } from "./errors/status-details.ts";
export {
  decodeBinaryHeader,
  encodeBinaryHeader,
  type HeadersInit,
} from "./headers/header-fields.ts";
export {
  type ContextKey,
  type ContextValues,
  createContextKey,
  createContextValues,
} from "./interceptors/context-values.ts";
export type {
  InterceptedCall,
  Interceptor,
  StreamRequest,
  StreamResponse,
  UnaryRequest,
  UnaryResponse,
} from "./interceptors/interceptor.ts";
export { type LoopbackOptions, loopback } from "./loopback/loopback.ts";
export { release } from "./memory/view-lease.ts";
export { ConnectError } from "./mesh/attach.ts";
export { type ConnectOptions, connect, type StandaloneServer, serve } from "./mesh/connect.ts";
export type { Log, LogLevel } from "./mesh/log.ts";
export type { Mesh } from "./mesh/mesh.ts";
export type { ServicesListener } from "./mesh/service-directory.ts";
export { resolvePrefix } from "./prefix.ts";
export { isRpcError } from "./rpc-error-brand.ts";
export type { HandlerContext } from "./serving/handler-context.ts";
export type {
  CloseOptions,
  ServeOptions,
  Server,
  ServerClosed,
} from "./serving/server.ts";
export type { ServiceImpl, ServiceOptions } from "./serving/service-export.ts";
export type { ServiceRouter, ServiceRoutes } from "./serving/service-router.ts";
