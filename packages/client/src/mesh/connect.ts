/** The two ways into the mesh. */
import { basename } from "node:path";
import type { Interceptor } from "../interceptors/interceptor.ts";
import { resolvePrefix } from "../prefix.ts";
import type { CloseOptions, ServeOptions, Server, ServerClosed } from "../serving/server.ts";
import type { ServiceRoutes } from "../serving/service-router.ts";
import { type Log, logToStderr } from "./log.ts";
import { type Mesh, MeshConnection } from "./mesh.ts";

export interface ConnectOptions {
  /** The daemon's folder. Default: `KOALA_PREFIX`, else `$XDG_RUNTIME_DIR/koala`, else `/tmp/koala-<uid>`. */
  prefix?: string;
  /** What logs and `koalactl apps` call this app. Default: the name of the program's file. */
  name?: string;
  /**
   * What else this app says of itself, `{ team: "maps" }`: policies can be attached by it. Up to 32; keys of
   * letters, digits and `_ . / -`.
   */
  labels?: Readonly<Record<string, string>>;
  /** How long to wait for a daemon: here, and for calls while it is away. Default 5000. */
  waitMs?: number;
  /** Calls that may wait here before further ones fail with RESOURCE_EXHAUSTED. Default 65536. */
  maxQueuedCalls?: number;
  /** Around each call of the mesh's clients; the first one is outermost. */
  interceptors?: readonly Interceptor[];
  /** Where warnings go. Default: stderr. */
  log?: Log;
}

const waitMsDefault = 5000;
const maxQueuedCallsDefault = 65536;

/**
 * Connects this thread to the daemon of the host. Waits up to `waitMs` for one, then rejects with a
 * `KoalaError` `ERR_CONNECT_…`. A connection that is lost later is made again by itself.
 */
export async function connect(options: ConnectOptions = {}): Promise<Mesh> {
  const mesh = new MeshConnection({
    prefix: resolvePrefix(options.prefix),
    name: options.name ?? programName(),
    labels: options.labels ?? {},
    waitMs: options.waitMs ?? waitMsDefault,
    maxQueuedCalls: options.maxQueuedCalls ?? maxQueuedCallsDefault,
    log: options.log ?? logToStderr,
    interceptors: options.interceptors ?? [],
  });
  await mesh.start();
  return mesh;
}

/** What `serve` resolves to: a server with a connection of its own. */
export interface StandaloneServer extends AsyncDisposable {
  readonly name: string;
  /** The server's connection, for calls and further services. */
  readonly mesh: Mesh;
  /** Closes the server, then the connection. */
  close(options?: CloseOptions): Promise<ServerClosed>;
}

/** Connects and offers services under `options.name`. */
export async function serve(
  options: ServeOptions & Omit<ConnectOptions, "interceptors">,
  routes: ServiceRoutes,
): Promise<StandaloneServer> {
  // Interceptors are those of the server here.
  const { interceptors: _, ...connectOptions } = options;
  const mesh = await connect(connectOptions);
  let server: Server;
  try {
    server = await mesh.serve(options, routes);
  } catch (error) {
    await mesh.close();
    throw error;
  }
  const close = async (closeOptions?: CloseOptions): Promise<ServerClosed> => {
    const closed = await server.close(closeOptions);
    await mesh.close(closeOptions);
    return closed;
  };
  const asyncDispose = async (): Promise<void> => {
    await close();
  };
  return { name: server.name, mesh, close, [Symbol.asyncDispose]: asyncDispose };
}

function programName(): string {
  const path = process.argv[1];
  return path === undefined ? `node-${process.pid}` : basename(path).slice(0, 255) || "node";
}
