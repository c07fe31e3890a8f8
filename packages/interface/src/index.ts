/**
 * Contracts between the parts of Koala: status codes, errors, engines, transports. No logic beyond
 * naming things, no dependencies.
 *
 * @packageDocumentation
 */
export type { Engine } from "./engine.ts";
export { assert, KoalaError, messageOf } from "./errors.ts";
export {
  Origin,
  type OriginName,
  originFrom,
  originName,
  Status,
  statusCount,
  statusFrom,
  statusName,
} from "./status.ts";
export type { Connection, Listener, Span, Transport } from "./transport.ts";
