/**
 * An app's place in the mesh: one connection to the daemon of the host, made again whenever it is lost,
 * with the clients and servers that go over it.
 *
 * ```
 *  connecting ──welcome──▶ connected ──lost──▶ connecting (backoff) …      close() or a final refusal
 *                             └──drain──▶ no new calls, until lost         ──▶ closed
 * ```
 */
import type { DescService } from "@bufbuild/protobuf";
import { KoalaError, messageOf, Status } from "@koala/interface";
import { closeFd } from "@koala/native";
import type { ServiceOffer } from "@koala/protocol";
import { removeAbortListener } from "../calls/abort-listeners.ts";
import { type Client, type ClientOptions, clientOf } from "../calls/client.ts";
import type { WaitingCall } from "../calls/waiting-calls.ts";
import { RpcError } from "../errors/rpc-error.ts";
import type { Interceptor } from "../interceptors/interceptor.ts";
import { controlSocketPath } from "../prefix.ts";
import {
  type CloseOptions,
  MeshServer,
  type ServeOptions,
  type Server,
} from "../serving/server.ts";
import type { ServiceRoutes } from "../serving/service-router.ts";
import { type Attachment, attach, ConnectError } from "./attach.ts";
import { Datapath, type DatapathOwner } from "./datapath.ts";
import type { Log } from "./log.ts";
import { ServiceBinding } from "./service-binding.ts";
import { ServiceDirectory, type ServicesListener } from "./service-directory.ts";

/** What `connect` resolves to. */
export interface Mesh {
  /** Typed functions for the unary methods of a service that is offered as `target`. */
  client<Service extends DescService>(
    service: Service,
    target: string,
    options?: ClientOptions,
  ): Client<Service>;
  /** Offers services under a name; resolves once the daemon routes calls here. */
  serve(options: ServeOptions, routes: ServiceRoutes): Promise<Server>;
  /**
   * Memory for a large `bytes` field, in the send heap: what is written there is not copied any more.
   * It belongs to the library from the call (or reply) on that it is given to; take new memory for each
   * message and give it whole or from its beginning. When the heap is full, or the size is too small to
   * matter, it is ordinary memory, which is copied.
   */
  bytes(length: number): Uint8Array;
  /**
   * The descriptor of a service that somebody offers, as `target` if that is given: for programs that have no
   * generated code of it. Rejects with a `KoalaError` `ERR_DESCRIBE_…`.
   */
  describe(service: string, target?: string): Promise<DescService>;
  /** What can be called: names, services, and how many app threads offer each. */
  services(): Promise<ServiceOffer[]>;
  /** Calls `listener` with what can be called, now and after each change. Returns how to stop that. */
  watchServices(listener: ServicesListener): () => void;
  /** Closes servers (with their grace time), then the connection: pending calls end with CANCELLED. */
  close(options?: CloseOptions): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The options of `connect`, complete. */
export interface MeshOptions {
  readonly prefix: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly waitMs: number;
  readonly maxQueuedCalls: number;
  readonly log: Log;
  readonly interceptors: readonly Interceptor[];
}

const nameLengthMax = 255;
const noticeMs = 2000;
/** How long the daemon may take to answer `hello`. */
const attachMsMax = 5000;
const retryMsMin = 10;
const retryMsMax = 500;
/** A connection that ends sooner than this counts as an attempt that failed. */
const shortMs = 1000;

export class MeshConnection implements Mesh, DatapathOwner {
  readonly log: Log;
  datapath: Datapath | null = null;
  private readonly options: MeshOptions;
  private readonly path: string;
  private readonly bindings = new Map<string, ServiceBinding>();
  private readonly clients = new Map<ServiceBinding, unknown>();
  private readonly servers = new Set<MeshServer>();
  private readonly directory: ServiceDirectory;
  private isClosed = false;
  private isDraining = false;
  private failure: RpcError | null = null;
  private waitingCount = 0;
  private connectedAt = 0;
  private retryMs = retryMsMin;
  private retryTimer: NodeJS.Timeout | null = null;
  private onRetry: (() => void) | null = null;

  constructor(options: MeshOptions) {
    checkName("ERR_CONNECT_NAME", "connect: name", options.name);
    this.options = options;
    this.log = options.log;
    this.path = controlSocketPath(options.prefix);
    const { waitMs, log } = options;
    const datapath = (): Datapath | null => {
      if (!this.isClosed) return this.datapath;
      throw new KoalaError("ERR_MESH_CLOSED", "the mesh was closed");
    };
    this.directory = new ServiceDirectory({ datapath, waitMs, log });
  }

  /** The first connection; rejects after `waitMs`. */
  async start(): Promise<void> {
    await this.connectBy(performance.now() + this.options.waitMs);
  }

  client<Service extends DescService>(
    service: Service,
    target: string,
    options: ClientOptions = {},
  ): Client<Service> {
    const binding = this.bindingOf(service, target);
    const { interceptors } = this.options;
    if (options.interceptors !== undefined && options.interceptors.length > 0) {
      return clientOf(binding, service, [...interceptors, ...options.interceptors]);
    }
    let client = this.clients.get(binding);
    if (client === undefined) {
      client = clientOf(binding, service, interceptors);
      this.clients.set(binding, client);
    }
    return client as Client<Service>;
  }

  /** Where calls to a service that is offered as `target` go. */
  bindingOf(service: DescService, target: string): ServiceBinding {
    checkName("ERR_CLIENT_TARGET", "client: target", target);
    const key = `${target}\0${service.typeName}`;
    let binding = this.bindings.get(key);
    // Two generations of generated code in one process differ in their descriptors.
    if (binding === undefined || !binding.isOf(service)) {
      binding = new ServiceBinding(this, service, target);
      this.bindings.set(key, binding);
      if (this.datapath !== null && !this.isDraining) binding.bind(this.datapath);
    }
    return binding;
  }

  async serve(options: ServeOptions, routes: ServiceRoutes): Promise<Server> {
    if (this.isClosed) throw new KoalaError("ERR_MESH_CLOSED", "serve: the mesh was closed");
    checkName("ERR_SERVE_NAME", "serve: name", options.name);
    const server = new MeshServer(this, options, routes);
    this.servers.add(server);
    try {
      await server.start(this.isDraining ? null : this.datapath);
      return server;
    } catch (error) {
      // Some of its services may have been accepted.
      await server.close({ graceMs: 0 });
      throw error;
    }
  }

  bytes(length: number): Uint8Array {
    const { datapath } = this;
    if (datapath === null) return new Uint8Array(length);
    return datapath.takeBytes(length);
  }

  describe(service: string, target?: string): Promise<DescService> {
    return this.directory.describe(service, target);
  }

  services(): Promise<ServiceOffer[]> {
    return this.directory.services();
  }

  watchServices(listener: ServicesListener): () => void {
    return this.directory.watch(listener);
  }

  async close(options: CloseOptions = {}): Promise<void> {
    if (this.isClosed) return;
    await Promise.all([...this.servers].map((server) => server.close(options)));
    this.isClosed = true;
    this.datapath?.close();
    this.finish(new RpcError(Status.CANCELLED, "the mesh was closed"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Why no call may wait now; null when it may. */
  refusal(): RpcError | null {
    if (this.failure !== null) return this.failure;
    const { maxQueuedCalls } = this.options;
    if (this.waitingCount < maxQueuedCalls) return null;
    return new RpcError(
      Status.RESOURCE_EXHAUSTED,
      `${maxQueuedCalls} calls wait already (option maxQueuedCalls of connect); wait for some, or raise it`,
    );
  }

  /** A call begins to wait: for the binding, or for room on the connection that it is bound on. */
  enter(call: WaitingCall, datapath: Datapath | null): void {
    this.waitingCount++;
    if (datapath !== null && !datapath.ended) {
      this.waitForRoom(datapath, call);
      return;
    }
    this.waitForBinding(call);
    if (this.datapath !== null && !this.isDraining) call.method.binding.bind(this.datapath);
  }

  /** The call waits for its turn on this connection. */
  waitForRoom(datapath: Datapath, call: WaitingCall): void {
    clearWait(call);
    call.list?.remove(call);
    datapath.waiting.append(call);
    datapath.schedule();
  }

  /** The call waits no more. */
  leave(call: WaitingCall): void {
    if (call.list === null) return;
    call.list.remove(call);
    this.waitingCount--;
    if (call.timer !== null) clearTimeout(call.timer);
    const { signal } = call.options;
    if (signal !== undefined && call.onAbort !== null) removeAbortListener(signal, call.onAbort);
  }

  /** For the message of a call that waited too long. */
  whatIsMissing(call: WaitingCall): string {
    const { binding } = call.method;
    if (this.datapath === null) return `the daemon at ${this.path}`;
    if (binding.datapath === null) return `the daemon to bind ${binding.schema.typeName}`;
    const { pending } = binding.datapath;
    return pending.size >= pending.max
      ? `one of ${pending.max} calls in flight to end (limits.calls_per_app of the daemon)`
      : "room in the send heap";
  }

  onDrain(datapath: Datapath): void {
    this.isDraining = true;
    this.log("info", `the daemon at ${this.path} is about to stop`);
    this.unbind(datapath);
  }

  onOffers(): void {
    this.directory.refresh();
  }

  onEnd(datapath: Datapath, reason: string, mayReconnect: boolean): void {
    if (this.datapath !== datapath) return;
    this.datapath = null;
    this.unbind(datapath);
    for (const server of this.servers) server.disconnected();
    if (this.isClosed) return;
    if (!mayReconnect) {
      this.log("error", `the daemon at ${this.path} ended the connection for good: ${reason}`);
      this.finish(unavailable(`the daemon ended the connection for good: ${reason}`));
      return;
    }
    this.log("warn", `lost the connection to the daemon at ${this.path} (${reason}), reconnecting`);
    this.connectBy(Number.POSITIVE_INFINITY).then(
      () => this.log("info", `connected to the daemon at ${this.path} again`),
      (error) => this.finish(unavailable(messageOf(error))),
    );
  }

  forget(server: MeshServer): void {
    this.servers.delete(server);
  }

  /** Calls that waited on a connection wait for the next one. */
  private unbind(datapath: Datapath): void {
    for (const binding of this.bindings.values()) binding.unbind();
    for (const call of datapath.waiting.takeAll()) this.waitForBinding(call);
  }

  private waitForBinding(call: WaitingCall): void {
    call.method.binding.waiting.append(call);
    if (call.timer !== null) return;
    const { waitMs } = this.options;
    call.timer = setTimeout(() => {
      const what = this.whatIsMissing(call);
      this.leave(call);
      call.reject(unavailable(`${call.method.name}: waited ${waitMs} ms (waitMs) for ${what}`));
    }, waitMs);
  }

  private adopt(attachment: Attachment): void {
    if (this.isClosed) {
      discard(attachment);
      return;
    }
    const datapath = new Datapath(attachment, this);
    this.datapath = datapath;
    this.connectedAt = performance.now();
    this.isDraining = false;
    for (const binding of this.bindings.values()) binding.bind(datapath);
    for (const server of this.servers) server.connected(datapath);
    this.directory.refresh();
  }

  private async connectBy(deadline: number): Promise<void> {
    const startedAt = performance.now();
    const isFirst = Number.isFinite(deadline);
    let hasNoticed = false;
    // A daemon that accepts and ends connections in turns is not asked without pause.
    if (!isFirst && startedAt - this.connectedAt < shortMs) await this.pause(true);
    else this.retryMs = retryMsMin;
    while (!this.isClosed) {
      const left = Math.max(deadline - performance.now(), retryMsMin);
      try {
        const timeoutMs = Math.min(left, attachMsMax);
        const { name, labels } = this.options;
        await attach(this.path, name, labels, timeoutMs, (a) => this.adopt(a));
        return;
      } catch (error) {
        if (error instanceof ConnectError && !error.mayRetry) throw error;
        const now = performance.now();
        if (now + this.retryMs > deadline) throw this.noDaemonError(error);
        if (!hasNoticed && now - startedAt > noticeMs) {
          hasNoticed = true;
          this.log("warn", `waiting for the daemon at ${this.path}`);
        }
      }
      await this.pause(isFirst || this.servers.size > 0);
    }
  }

  /** Longer each time, up to a limit. */
  private pause(keepAlive: boolean): Promise<void> {
    return new Promise((resolve) => {
      this.onRetry = resolve;
      this.retryTimer = setTimeout(resolve, this.retryMs);
      this.retryMs = Math.min(this.retryMs * 2, retryMsMax);
      if (!keepAlive) this.retryTimer.unref();
    });
  }

  private noDaemonError(cause: unknown): KoalaError {
    const { waitMs, prefix } = this.options;
    return new KoalaError(
      "ERR_CONNECT_NO_DAEMON",
      `no daemon at ${this.path} within ${waitMs} ms (last try: ${messageOf(cause)}); start one with "koalad --prefix ${prefix}", or name the prefix of one that runs (option prefix, or KOALA_PREFIX)`,
      { cause },
    );
  }

  /** No connection any more, and none to come. */
  private finish(error: RpcError): void {
    this.failure = error;
    if (this.retryTimer !== null) clearTimeout(this.retryTimer);
    this.onRetry?.();
    for (const { waiting } of this.bindings.values()) {
      for (let call = waiting.first; call !== null; call = waiting.first) {
        this.leave(call);
        call.reject(error);
      }
    }
    for (const server of this.servers) server.abandoned(error);
  }
}

/** The daemon ends the connection of an app that sends it another name. */
function checkName(code: string, what: string, name: string): void {
  if (typeof name === "string" && name.length >= 1 && name.length <= nameLengthMax) return;
  throw new KoalaError(
    code,
    `${what}: expected a string of 1 to ${nameLengthMax} characters, found ${JSON.stringify(name)}`,
  );
}

/** The time for waiting without a deadline ends when the call is bound. */
function clearWait(call: WaitingCall): void {
  if (call.timer === null || call.deadline !== Number.POSITIVE_INFINITY) return;
  clearTimeout(call.timer);
  call.timer = null;
}

function unavailable(reason: string): RpcError {
  return new RpcError(Status.UNAVAILABLE, reason, { origin: "local-daemon" });
}

function discard(attachment: Attachment): void {
  attachment.control.end();
  closeFd(attachment.region);
  closeFd(attachment.daemonBell);
  closeFd(attachment.appBell);
}
