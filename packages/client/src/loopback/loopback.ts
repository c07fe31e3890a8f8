/**
 * A mesh within the process, for tests of code that calls or serves: no daemon, no shared memory, the same
 * functions, errors, deadlines, cancellation, headers and interceptors. Messages are copied on their way, by the
 * code that writes and reads them in shared memory.
 */
import type { DescService } from "@bufbuild/protobuf";
import { KoalaError, Status } from "@koala/interface";
import type { ServiceOffer } from "@koala/protocol";
import type { RawCallOptions } from "../calls/call-options.ts";
import type { Client, ClientOptions } from "../calls/client.ts";
import { type MessageStyle, objectStyle } from "../calls/message-style.ts";
import { RpcError } from "../errors/rpc-error.ts";
import { type CallFunction, intercepted } from "../interceptors/client-interception.ts";
import type { Interceptor } from "../interceptors/interceptor.ts";
import { MessageCopier } from "../memory/message-copier.ts";
import { type Log, logToStderr } from "../mesh/log.ts";
import type { Mesh } from "../mesh/mesh.ts";
import type { ServicesListener } from "../mesh/service-directory.ts";
import {
  type CloseOptions,
  exportsOf,
  graceMsDefault,
  type ServeOptions,
  type Server,
  type ServerClosed,
} from "../serving/server.ts";
import type { ServiceExport } from "../serving/service-export.ts";
import type { ServiceRoutes } from "../serving/service-router.ts";
import { LoopbackCall } from "./loopback-call.ts";
import { loopbackFunction } from "./loopback-stub.ts";

export interface LoopbackOptions {
  /** Around each call of the mesh's clients; the first one is outermost. */
  interceptors?: readonly Interceptor[];
  /** How `routes` are served. */
  server?: Omit<ServeOptions, "name">;
  /** Where errors of handlers go. Default: stderr. */
  log?: Log;
}

/**
 * A mesh whose calls end in `routes`, whatever their target is called. `mesh.serve()` offers further services,
 * under a name.
 */
export function loopback(routes?: ServiceRoutes, options: LoopbackOptions = {}): Mesh {
  const mesh = new LoopbackMesh(options.interceptors ?? [], options.log ?? logToStderr);
  if (routes !== undefined) mesh.offer({ ...options.server, name: anyName }, routes);
  return mesh;
}

/** No server can have it. */
const anyName = "";

/** What `loopback` gives. */
export class LoopbackMesh implements Mesh {
  readonly log: Log;
  private readonly interceptors: readonly Interceptor[];
  private readonly copier = new MessageCopier();
  private readonly servers: LoopbackServer[] = [];
  /** Whose turn it is among servers of one name. */
  private turn = 0;
  private isClosed = false;
  private readonly listeners = new Set<ServicesListener>();

  constructor(interceptors: readonly Interceptor[], log: Log) {
    this.interceptors = interceptors;
    this.log = log;
  }

  client<Service extends DescService>(
    service: Service,
    target: string,
    options: ClientOptions = {},
  ): Client<Service> {
    const interceptors = [...this.interceptors, ...(options.interceptors ?? [])];
    const client: Record<string, CallFunction> = {};
    const functions = this.functionsOf(service, target, objectStyle);
    for (const [index, desc] of service.methods.entries()) {
      const direct = functions[index]!;
      client[desc.localName] =
        interceptors.length === 0 ? direct : intercepted(desc, direct, interceptors);
    }
    return client as Client<Service>;
  }

  /** What calls each method of a service, with messages in a style; without the mesh's interceptors. */
  functionsOf(service: DescService, target: string, style: MessageStyle): CallFunction[] {
    return service.methods.map((desc, index) =>
      loopbackFunction(desc, style, (raw) => this.open(service, target, index, raw, style)),
    );
  }

  async serve(options: ServeOptions, routes: ServiceRoutes): Promise<Server> {
    if (this.isClosed) throw new KoalaError("ERR_MESH_CLOSED", "serve: the mesh was closed");
    return this.offer(options, routes);
  }

  offer(options: ServeOptions, routes: ServiceRoutes): LoopbackServer {
    const server = new LoopbackServer(options.name, exportsOf(options, routes), () => {
      this.servers.splice(this.servers.indexOf(server), 1);
      this.tell();
    });
    this.servers.push(server);
    this.tell();
    return server;
  }

  bytes(length: number): Uint8Array {
    return new Uint8Array(length);
  }

  async describe(service: string, target?: string): Promise<DescService> {
    const found = this.servers
      .filter(({ name }) => target === undefined || name === target || name === anyName)
      .flatMap((server) => server.find(service)?.methods[0]?.schema.desc.parent ?? [])[0];
    if (found !== undefined) return found;
    throw new KoalaError("ERR_DESCRIBE_SERVICE", `${service}: nobody serves it`);
  }

  async services(): Promise<ServiceOffer[]> {
    return this.servers.flatMap((server) => server.offers());
  }

  watchServices(listener: ServicesListener): () => void {
    const own: ServicesListener = (services) => listener(services);
    this.listeners.add(own);
    void this.services().then(own);
    return () => void this.listeners.delete(own);
  }

  async close(options: CloseOptions = {}): Promise<void> {
    this.isClosed = true;
    await Promise.all(this.servers.map((server) => server.close(options)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private tell(): void {
    if (this.listeners.size === 0) return;
    void this.services().then((services) => {
      for (const listener of this.listeners) listener(services);
    });
  }

  private open(
    { typeName }: DescService,
    target: string,
    index: number,
    options: RawCallOptions,
    style: MessageStyle,
  ): LoopbackCall {
    if (this.isClosed) throw new RpcError(Status.CANCELLED, "the mesh was closed");
    const named = this.servers.filter(({ name }) => name === target);
    const able = (named.length > 0 ? named : this.servers.filter(({ name }) => name === anyName))
      .map((server) => [server, server.find(typeName)] as const)
      .filter(([, exported]) => exported !== undefined);
    const origin = "local-daemon";
    const [server, exported] = able[this.turn++ % Math.max(1, able.length)] ?? [];
    if (server === undefined || exported === undefined) {
      throw named.length > 0
        ? new RpcError(Status.UNIMPLEMENTED, `${target} does not offer ${typeName}`, { origin })
        : new RpcError(Status.UNAVAILABLE, `nobody serves ${target} (${typeName})`, { origin });
    }
    const method = exported.methods[index];
    if (method?.handler === undefined) {
      const text =
        method === undefined
          ? "the service has no such method"
          : `${typeName}/${method.schema.name} has no handler`;
      throw new RpcError(Status.UNIMPLEMENTED, text, { origin: "remote-app" });
    }
    const call = new LoopbackCall(method, options, style, this.copier, this.log);
    server.add(call);
    return call;
  }
}

class LoopbackServer implements Server {
  readonly name: string;
  private readonly exports: readonly ServiceExport[];
  private readonly onClose: () => void;
  private readonly running = new Set<LoopbackCall>();
  private onIdle: (() => void) | null = null;
  private closing: Promise<ServerClosed> | null = null;

  constructor(name: string, exports: readonly ServiceExport[], onClose: () => void) {
    this.name = name;
    this.exports = exports;
    this.onClose = onClose;
  }

  find(typeName: string): ServiceExport | undefined {
    return this.exports.find(({ schema }) => schema.typeName === typeName);
  }

  offers(): ServiceOffer[] {
    const { name } = this;
    return this.exports.map(({ schema }) => ({
      name,
      service: schema.typeName,
      hashes: [schema.hash],
      instances: 1,
    }));
  }

  add(call: LoopbackCall): void {
    this.running.add(call);
    call.onOver = () => {
      this.running.delete(call);
      if (this.running.size === 0) this.onIdle?.();
    };
  }

  close(options: CloseOptions = {}): Promise<ServerClosed> {
    this.closing ??= this.closeOnce(options.graceMs ?? graceMsDefault);
    return this.closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async closeOnce(graceMs: number): Promise<ServerClosed> {
    this.onClose();
    if (this.running.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, graceMs);
        this.onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    const cut = [...this.running];
    const text = "the server closed before the handler ended";
    for (const call of cut) {
      call.cut(new RpcError(Status.UNAVAILABLE, text, { origin: "remote-app" }));
    }
    return { cut: cut.length };
  }
}
