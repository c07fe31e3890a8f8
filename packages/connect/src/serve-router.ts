/** Routers of connect-es, served by Koala. */
import type { ConnectRouter, ConnectRouterOptions, ContextValues } from "@connectrpc/connect";
import type { HandlerContext as KoalaContext, Mesh, ServeOptions, Server } from "@koala/mrpc";
import { RouterCollector } from "./router-collector.ts";
import { routesOf } from "./router-relay.ts";

/**
 * How routes are served: options of Koala's servers, and those of connect-es's that are not about HTTP. Services may
 * have their own.
 */
export interface ServeRouterOptions
  extends Omit<ServeOptions, "interceptors">,
    Pick<ConnectRouterOptions, "interceptors" | "maxTimeoutMs" | "shutdownSignal"> {
  /** The first context values of a call. Default: none. */
  contextValues?: (context: KoalaContext) => ContextValues;
}

/**
 * Offers services under a name: those that `routes` registers, the function that adapters of connect-es take. Resolves
 * once the daemon routes calls here.
 *
 * A router that exists already will do, too. Its handlers are called in the bytes of their protocol, so each call costs
 * more, and what the router was told of interceptors and limits holds besides what `options` say.
 */
export async function serveRouter(
  mesh: Mesh,
  options: ServeRouterOptions,
  routes: ConnectRouter | ((router: ConnectRouter) => void),
): Promise<Server> {
  const {
    interceptors = [],
    maxTimeoutMs,
    shutdownSignal,
    contextValues,
    ...serveOptions
  } = options;
  const router = new RouterCollector(options.name, {
    interceptors,
    maxTimeoutMs,
    shutdownSignal,
    contextValues,
  });
  const register = typeof routes === "function" ? routes : routesOf(routes);
  register(router);
  return await mesh.serve(serveOptions, (server) => router.addTo(server));
}
