/**
 * What applications import: `connect`, `serve`, and what comes with calls.
 *
 * @packageDocumentation
 */
export { KoalaError, Origin, type OriginName, Status, statusName } from "@koala/interface";
export type { MetadataEntry, ServiceOffer } from "@koala/protocol";
export { ConnectError } from "./attach.ts";
export type { CallOptions, EntriesListener } from "./call-options.ts";
export type { Client, ClientOptions } from "./client.ts";
export { type ConnectOptions, connect, type StandaloneServer, serve } from "./connect.ts";
export {
  type ContextKey,
  type ContextValues,
  createContextKey,
  createContextValues,
} from "./context-values.ts";
export type { HandlerContext } from "./handler-context.ts";
export { decodeBinaryHeader, encodeBinaryHeader, type HeadersInit } from "./header-fields.ts";
export type {
  InterceptedCall,
  Interceptor,
  StreamRequest,
  StreamResponse,
  UnaryRequest,
  UnaryResponse,
} from "./interceptor.ts";
export type { Log, LogLevel } from "./log.ts";
export { type LoopbackOptions, loopback } from "./loopback.ts";
export type { Mesh } from "./mesh.ts";
export { resolvePrefix } from "./prefix.ts";
export { RpcError, type RpcErrorOptions } from "./rpc-error.ts";
export { isRpcError } from "./rpc-error-brand.ts";
export type {
  CloseOptions,
  ServeOptions,
  Server,
  ServerClosed,
} from "./server.ts";
export type { ServicesListener } from "./service-directory.ts";
export type { ServiceImpl, ServiceOptions } from "./service-export.ts";
export type { ServiceRouter, ServiceRoutes } from "./service-router.ts";
export type { OutgoingDetail } from "./status-details.ts";
export { release } from "./view-lease.ts";
