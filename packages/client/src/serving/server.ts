/** Services that this app offers under one name. */
import { KoalaError } from "@koala/interface";
import { closeFd } from "@koala/native";
import type { DaemonMessage } from "@koala/protocol";
import type { Interceptor } from "../interceptors/interceptor.ts";
import type { Datapath } from "../mesh/datapath.ts";
import type { MeshConnection } from "../mesh/mesh.ts";
import { schemaRegion } from "../mesh/schema-region.ts";
import { HandlerGate } from "./handler-gate.ts";
import type { IncomingCall } from "./incoming-call.ts";
import type { ServiceExport } from "./service-export.ts";
import { ServiceCollector, type ServiceRoutes } from "./service-router.ts";

export interface ServeOptions {
  /** What clients give to `mesh.client(Service, name)`. Several processes may offer the same name. */
  name: string;
  /** Around each handler; the first one is outermost. */
  interceptors?: readonly Interceptor[];
  /**
   * Handlers that run at once, of all services of this server together; further calls wait here in their order.
   * Default: no limit.
   */
  concurrency?: number;
}

export interface CloseOptions {
  /** How long running handlers may go on. Default 5000. */
  graceMs?: number;
}

/** What closing a server came to. */
export interface ServerClosed {
  /** Calls whose handlers had not ended in time; their callers got UNAVAILABLE. */
  cut: number;
}

/** How long running handlers may go on when nobody says so. */
export const graceMsDefault = 5000;
/** How long the daemon may take to read the last replies. */
const settleMsMax = 1000;
const pollMs = 5;

/** Services that are offered under a name. */
export interface Server extends AsyncDisposable {
  readonly name: string;
  /**
   * No new calls; waits for running handlers and for the daemon to have their replies. Calls that are
   * still running after the grace time end with UNAVAILABLE.
   */
  close(options?: CloseOptions): Promise<ServerClosed>;
}

/** The services that `routes` adds. Throws a `KoalaError` when there is none. */
export function exportsOf(options: ServeOptions, routes: ServiceRoutes): ServiceExport[] {
  const { name, interceptors = [], concurrency } = options;
  const exports: ServiceExport[] = [];
  const gate = concurrency === undefined ? null : new HandlerGate(concurrency);
  routes(new ServiceCollector(name, interceptors, gate, exports));
  if (exports.length > 0) return exports;
  throw new KoalaError(
    "ERR_SERVE_EMPTY",
    `serve "${name}": no service was registered; call r.service(Service, implementation)`,
  );
}

export class MeshServer implements Server {
  readonly name: string;
  private readonly mesh: MeshConnection;
  private readonly exports: readonly ServiceExport[];
  /** Ids of what the daemon routes here, on the connection that there is. */
  private readonly ids = new Map<ServiceExport, number>();
  private readonly unanswered = new Set<ServiceExport>();
  private datapath: Datapath | null = null;
  private onServing: (() => void) | null = null;
  private onRefused: ((error: Error) => void) | null = null;
  private closing: Promise<ServerClosed> | null = null;

  constructor(mesh: MeshConnection, options: ServeOptions, routes: ServiceRoutes) {
    this.mesh = mesh;
    this.name = options.name;
    this.exports = exportsOf(options, routes);
  }

  /** Resolves once the daemon routes calls of every service here. */
  start(datapath: Datapath | null): Promise<void> {
    return new Promise((resolve, reject) => {
      this.onServing = resolve;
      this.onRefused = reject;
      if (datapath !== null) this.connected(datapath);
    });
  }

  close(options: CloseOptions = {}): Promise<ServerClosed> {
    this.closing ??= this.closeOnce(options.graceMs ?? graceMsDefault);
    return this.closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** There is a connection: offers the services on it. */
  connected(datapath: Datapath): void {
    if (this.closing !== null) return;
    this.datapath = datapath;
    for (const exported of this.exports) {
      this.unanswered.add(exported);
      this.offer(datapath, exported);
    }
  }

  /** The connection is gone; the mesh makes another one. */
  disconnected(): void {
    this.datapath = null;
    this.ids.clear();
  }

  /** There will be no connection any more. */
  abandoned(error: Error): void {
    this.onRefused?.(error);
  }

  private offer(datapath: Datapath, exported: ServiceExport): void {
    const { control } = datapath;
    const { typeName: service, hash, descriptorSet } = exported.schema;
    const seq = control.nextSeq();
    const { name } = this;
    const schemaBytes = descriptorSet.length;
    control.request(
      { op: "serve", seq, name, service, hash, schemaBytes },
      [schemaRegion(exported.schema)],
      (answer, fds) => {
        fds.forEach(closeFd);
        this.unanswered.delete(exported);
        if (answer.op !== "serving") return this.refused(exported, answer);
        this.ids.set(exported, answer.export);
        datapath.exports.set(answer.export, exported);
        datapath.updateReference();
        if (this.unanswered.size === 0) this.onServing?.();
      },
    );
  }

  private refused(exported: ServiceExport, answer: DaemonMessage): void {
    const what = `serve "${this.name}" (${exported.schema.typeName})`;
    const error =
      answer.op === "refused"
        ? new KoalaError(answer.code, `${what}: ${answer.message}`)
        : new KoalaError("ERR_SERVE_ANSWER", `${what}: the daemon answered "${answer.op}"`);
    // Later on, after a reconnection, nobody waits for it.
    this.mesh.log("error", error.message);
    this.onRefused?.(error);
  }

  private async closeOnce(graceMs: number): Promise<ServerClosed> {
    const deadline = performance.now() + graceMs;
    // For a `serve` that still waits; nothing happens when it does not.
    this.onRefused?.(new KoalaError("ERR_SERVE_CLOSED", `serve "${this.name}": closed meanwhile`));
    const { datapath } = this;
    if (datapath === null) {
      this.mesh.forget(this);
      return { cut: 0 };
    }
    await Promise.race([
      Promise.all([...this.ids.values()].map((id) => unserve(datapath, id))),
      until(() => datapath.ended, deadline),
    ]);
    await until(() => this.running(datapath).length === 0, deadline);
    const running = this.running(datapath);
    for (const call of running) call.cut();
    for (const id of this.ids.values()) datapath.exports.delete(id);
    this.mesh.forget(this);
    await until(() => datapath.isQuiet(), performance.now() + settleMsMax);
    datapath.updateReference();
    return { cut: running.length };
  }

  private running(datapath: Datapath): IncomingCall[] {
    return [...datapath.incoming.values()].filter((call) =>
      this.exports.some((exported) => exported.methods.includes(call.target)),
    );
  }
}

function unserve(datapath: Datapath, id: number): Promise<void> {
  return new Promise((resolve) => {
    const seq = datapath.control.nextSeq();
    datapath.control.request({ op: "unserve", seq, export: id }, [], (_answer, fds) => {
      fds.forEach(closeFd);
      resolve();
    });
  });
}

/** Looks every few milliseconds, until it is so or the moment has come. */
async function until(isSo: () => boolean, deadline: number): Promise<void> {
  while (!isSo() && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
