/** A server in the shape of grpc-js's own, for programs that make one and add services to it. */
import type {
  ServerInterceptor,
  ServiceDefinition,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { KoalaError, messageOf } from "@koala/interface";
import { type ConnectOptions, connect, type Mesh } from "@koala/mrpc";
import { type GrpcJsServer, type ServeGrpcJsOptions, serveGrpcJs } from "./serve-grpc-js.ts";
import { serviceName } from "./service-descriptor.ts";

export interface KoalaServerOptions extends ServeGrpcJsOptions {
  /** The connection to take; it stays the caller's. Without, the server makes one of its own. */
  mesh?: Mesh;
  /** How to connect when there is no `mesh`. */
  connect?: Omit<ConnectOptions, "interceptors">;
  /** As of grpc-js's server: the first one is next to the handler. */
  interceptors?: ServerInterceptor[];
}

/** How long `tryShutdown` waits: as with grpc-js, until the last call has ended. */
const patienceMs = 2 ** 31;

/** Stands in for `Server` of grpc-js: `addService`, `bindAsync` or `start`, `tryShutdown`, `forceShutdown`. */
export class KoalaServer {
  private readonly options: KoalaServerOptions;
  private readonly services = new Map<
    string,
    readonly [ServiceDefinition, UntypedServiceImplementation]
  >();
  private starting: Promise<GrpcJsServer> | null = null;
  private ownMesh: Mesh | null = null;
  private isShutDown = false;

  constructor(options: KoalaServerOptions) {
    this.options = options;
  }

  /** Throws a `KoalaError` for a service that was added already, and when the server has been started. */
  addService(definition: ServiceDefinition, implementation: UntypedServiceImplementation): void {
    const name = serviceName(definition);
    if (this.starting !== null) {
      throw new KoalaError(
        "ERR_GRPCJS_STARTED",
        `addService(${name}): the server was started already; add all services before`,
      );
    }
    if (this.services.has(name)) {
      throw new KoalaError("ERR_GRPCJS_TWICE", `addService(${name}): it was added already`);
    }
    this.services.set(name, [definition, implementation]);
  }

  /** Takes a service away again, before the server is started. */
  removeService(definition: ServiceDefinition): void {
    this.services.delete(serviceName(definition));
  }

  /** Offers the services in the mesh; resolves once calls come here. Rejects with a `KoalaError`. */
  async start(): Promise<void> {
    if (this.isShutDown) {
      throw new KoalaError("ERR_GRPCJS_CLOSED", "start: the server was shut down");
    }
    this.starting ??= this.serve();
    await this.starting;
  }

  /**
   * `start` in the form that grpc-js has. Address and credentials do not matter here; the port that is called back
   * is 0.
   */
  bindAsync(
    _address: string,
    _credentials: unknown,
    callback: (error: Error | null, port: number) => void,
  ): void {
    this.start().then(
      () => process.nextTick(callback, null, 0),
      (error) => process.nextTick(callback, error, 0),
    );
  }

  /** Takes no new calls, and calls back when all that run have ended. */
  tryShutdown(callback: (error?: Error) => void): void {
    this.close(patienceMs).then(
      () => process.nextTick(callback),
      (error) => process.nextTick(callback, new Error(messageOf(error), { cause: error })),
    );
  }

  /** Takes no new calls and ends those that run: their callers get UNAVAILABLE. */
  forceShutdown(): void {
    this.starting?.then(
      (server) => server.cut(),
      () => {},
    );
    this.close(0).catch(() => {});
  }

  private async serve(): Promise<GrpcJsServer> {
    const { mesh: given, connect: connectOptions, ...options } = this.options;
    let mesh = given;
    if (mesh === undefined) {
      mesh = await connect(connectOptions);
      this.ownMesh = mesh;
    }
    try {
      return await serveGrpcJs(mesh, options, [...this.services.values()]);
    } catch (error) {
      await this.ownMesh?.close();
      throw error;
    }
  }

  private async close(graceMs: number): Promise<void> {
    this.isShutDown = true;
    const server = await this.starting?.catch(() => null);
    await server?.close({ graceMs });
    await this.ownMesh?.close();
  }
}
