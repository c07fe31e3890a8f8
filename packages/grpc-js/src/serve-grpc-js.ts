/** Service implementations of grpc-js, offered in the mesh. */
import type { ServerInterceptor } from "@grpc/grpc-js";
import { Status } from "@koala/interface";
import { type Mesh, RpcError, type ServeOptions, type Server } from "@koala/mrpc";
import { rawService } from "@koala/mrpc/raw";
import { type DescriptorSource, servicesIn } from "./descriptor-source.ts";
import { type GrpcService, handlersOf } from "./grpc-service.ts";
import type { ServerCall } from "./server-call.ts";
import { descriptorFor } from "./service-descriptor.ts";

export interface ServeGrpcJsOptions extends Omit<ServeOptions, "interceptors"> {
  /**
   * Descriptors of the services. Needed where definitions carry none, which is all but those of proto-loader, and
   * better than those of proto-loader for files in proto2.
   */
  descriptors?: DescriptorSource;
  /** Interceptors of grpc-js around each handler; as there, the last one is outermost. */
  interceptors?: readonly ServerInterceptor[];
}

/** What is offered, and a way to end it at once. */
export interface GrpcJsServer extends Server {
  /** Ends all running calls; their handlers are told that they were cancelled. */
  cut(): void;
}

/**
 * Offers services whose implementations are written for grpc-js. Resolves once the daemon routes calls here; rejects
 * with a `KoalaError`.
 */
export async function serveGrpcJs(
  mesh: Mesh,
  options: ServeGrpcJsOptions,
  services: readonly GrpcService[],
): Promise<GrpcJsServer> {
  const { descriptors, interceptors = [], ...serve } = options;
  const given = descriptors === undefined ? [] : servicesIn(descriptors);
  const running = new Set<ServerCall>();
  const described = services.map((service) => {
    const desc = descriptorFor(service[0], given);
    return [desc, handlersOf(desc, service, { name: serve.name, interceptors, running })] as const;
  });
  const server = await mesh.serve(serve, (router) => {
    for (const [desc, handlers] of described) rawService(router, desc, handlers);
  });
  return {
    name: server.name,
    close: (closeOptions) => server.close(closeOptions),
    cut() {
      const reason = new RpcError(Status.UNAVAILABLE, `"${serve.name}" was shut down`);
      for (const call of [...running]) call.abort(reason);
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
