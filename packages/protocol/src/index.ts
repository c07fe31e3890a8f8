/**
 * What crosses the borders of the daemon: the app channel (control packets, ring descriptors), links
 * (frames, handshake) and the admin socket.
 *
 * @packageDocumentation
 */
export {
  type AdminAnswers,
  type AdminPath,
  type AdminPostPath,
  type AdminPosts,
  type AdminRefusal,
  type AppStatus,
  adminPaths,
  adminPostPaths,
  type BindingStatus,
  type ClosureStatus,
  type DaemonCounters,
  type DaemonStatus,
  type LinkStatus,
  type RuntimeStatus,
  type SchemaVersion,
  type ServiceStatus,
} from "./admin/answers.ts";
export type * from "./admin/config.ts";
export {
  type DaemonEvent,
  type EventFields,
  type EventGap,
  type EventsAnswer,
  type EventTopic,
  eventBusHeader,
  eventTopics,
} from "./admin/events.ts";
export {
  GATEWAY_STATE,
  type GatewayDoor,
  type GatewayState,
  type GatewayStatus,
} from "./admin/gateway.ts";
export type * from "./admin/modules.ts";
export * from "./admin/observe.ts";
export type * from "./admin/policies.ts";
export type * from "./admin/runtimes.ts";
export type * from "./admin/upgrade.ts";
export {
  ADMIN_SOCKET,
  type AppLimits,
  type AppRequest,
  CONTROL_SOCKET,
  CONTROL_VERSION,
  controlPacketBytesMax,
  type DaemonMessage,
  prefixBytesMax,
} from "./app/control.ts";
export { descriptorsPerApp, mappingsPerApp } from "./app/cost.ts";
export { decodeMetadata, encodeMetadata, type MetadataEntry } from "./app/metadata.ts";
export * from "./app/slot.ts";
export * from "./link/frame.ts";
export type {
  Bind,
  BindCaller,
  Describe,
  Goaway,
  Hello,
  Refused,
  ServiceOffer,
  Services,
} from "./link/handshake.ts";
