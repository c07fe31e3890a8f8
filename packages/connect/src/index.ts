/**
 * connect-es over Koala: a transport for its clients, and a server for its routers. Neither clients nor
 * implementations of services change.
 *
 * @packageDocumentation
 */
export { koalaContext, onBehalfOf } from "./context-keys.ts";
export {
  type KoalaTransport,
  type KoalaTransportOptions,
  koalaTransport,
} from "./koala-transport.ts";
export { type ServeRouterOptions, serveRouter } from "./serve-router.ts";
