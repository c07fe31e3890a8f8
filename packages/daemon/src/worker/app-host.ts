/**
 * The apps of one runtime: makes their shared memory, answers their control packets, and closes what
 * has to be closed. Everything here is control plane on the runtime's thread: rare, and it may throw
 * only for bugs.
 */
import { KoalaError, messageOf, Status } from "@koala/interface";
import { closeFd, doorbellCreate, doorbellPair, sendMessage } from "@koala/native";
import {
  type AppLimits,
  type AppRequest,
  CONTROL_VERSION,
  type DaemonMessage,
  type EventFields,
} from "@koala/protocol";
import type { Runtime } from "@koala/runtime";
import type { ServiceSchema } from "@koala/schema";
import { closeRegion, createRegion, type Region } from "@koala/shm";
import type { Config } from "../config/index.ts";
import type { AppEngine, AppEngineOptions } from "../datapath/app-engine.ts";
import type { AppPort } from "../datapath/app-port.ts";
import { appRegionBytes, ringsOffsetIn } from "../datapath/app-region.ts";
import type { AppState } from "../datapath/app-state.ts";
import type { Binding } from "../datapath/binding.ts";
import { regionBytesFor } from "../datapath/receive-space.ts";
import type { Router } from "../datapath/router.ts";
import type { SchemaStore } from "../datapath/schema-store.ts";
import type { Translator } from "../datapath/translator.ts";
import { builtInFrontend, type FrontendModule } from "../engines/frontend.ts";
import type { EmitEvent } from "../events/event-source.ts";
import type { AreaLog } from "../log/index.ts";
import { version } from "../version.ts";
import { loadApp, portOf, unloadApp } from "./app-saving.ts";
import type { Closures } from "./closures.ts";
import type { AppIdentity, Notice } from "./commands.ts";
import { Discovery } from "./discovery.ts";
import type { EpollWaiter } from "./epoll-waiter.ts";
import { readSchema } from "./schema-memfd.ts";
import type { AppStatus, BindingStatus, ServiceStatus } from "./status.ts";

const REGION_UNIT = 64 * 1024;

/** One attached app thread. */
export interface HostedApp {
  readonly id: number;
  readonly identity: AppIdentity;
  readonly port: AppPort;
  /** What its engines are made with. */
  readonly engineOptions: AppEngineOptions;
  readonly controlFd: number;
  /** Its first region, see app-region.ts. */
  readonly region: Region;
  /** Wakes this runtime. */
  readonly doorbell: number;
  /** Wakes the app. A pipe: with an eventfd, the app could make this thread block when it rings. */
  readonly appDoorbell: number;
  readonly attachedMs: number;
  /** It is to be told when what can be reached changes. */
  watchesServices: boolean;
}

export interface AppHostOptions {
  config: Config;
  runtime: Runtime;
  router: Router;
  schemas: SchemaStore;
  translator: Translator;
  waiter: EpollWaiter;
  log: AreaLog;
  notify: (notice: Notice) => void;
  emitEvent: EmitEvent;
  closures: Closures;
}

export class AppHost {
  readonly apps: Map<number, HostedApp> = new Map();
  private readonly options: AppHostOptions;
  /** Called when an app has broken a rule; `closeViolators` is to be called soon. */
  onViolators: () => void = () => {};
  private readonly violators: AppEngine[] = [];
  /** The code that new apps are served by. */
  frontend: FrontendModule = builtInFrontend;
  /** Answers what can be reached, and what it looks like. */
  private readonly discovery: Discovery<HostedApp>;

  constructor(options: AppHostOptions) {
    this.options = options;
    this.discovery = new Discovery({
      router: options.router,
      send: (app, message, fds) => send(app.controlFd, message, fds),
    });
  }

  /** True while apps that broke a rule wait for `closeViolators`. */
  get hasViolators(): boolean {
    return this.violators.length > 0;
  }

  attach(id: number, controlFd: number, identity: AppIdentity): void {
    let app: HostedApp;
    try {
      app = this.open(id, controlFd, identity);
    } catch (error) {
      const code = error instanceof KoalaError ? error.code : "ERR_APP_ATTACH";
      const text = `can't attach: ${messageOf(error)}`;
      send(controlFd, { op: "closed", code, message: text, reconnect: true }, null);
      closeFd(controlFd);
      this.options.emitEvent("app", "refused", { ...factsOf(id, identity), code, reason: text });
      this.options.notify({ op: "closed", app: id, code, reason: text });
      return;
    }
    this.apps.set(id, app);
    this.listen(app);
    this.options.runtime.activate(app.port.engine);
    const { name, pid, thread } = identity;
    this.options.log.info("attached", { app: id, name, pid, thread });
    this.options.emitEvent("app", "attached", factsOf(id, identity));
  }

  /**
   * Takes over an app that another runtime has served, suspended until `resume`. Its calls and services
   * are the caller's to restore. Throws, and leaves nothing behind, when that can't be; the descriptors in
   * the state are this host's once it has returned.
   */
  adopt(state: AppState): HostedApp {
    const { schemas } = this.options;
    const loaded = loadApp(state, schemas);
    const { id, identity, controlFd, doorbell, appDoorbell, ringSlots, callsMax } = state;
    try {
      const parts = { ...loaded, controlFd, appDoorbell };
      const engineOptions = this.engineOptions({ ...parts, ringSlots, callsMax });
      loaded.port.engine = this.frontend.restore(engineOptions, state.endpoint);
      const { attachedMs, watchesServices = false } = state;
      const kept = { doorbell, attachedMs, watchesServices };
      const app: HostedApp = { id, identity, ...parts, engineOptions, ...kept };
      this.apps.set(id, app);
      return app;
    } catch (error) {
      unloadApp(loaded, schemas);
      throw error;
    }
  }

  /** An adopted app is served from now on. */
  resume(app: HostedApp): void {
    this.listen(app);
    this.discovery.adopt(app);
    app.port.engine.resume();
  }

  /** Another runtime serves the app, and has its descriptors: lets go of the rest. */
  letGo(app: HostedApp): void {
    this.apps.delete(app.id);
    this.discovery.forget(app);
    this.options.waiter.remove(app.doorbell);
    app.port.engine.retire();
    unloadApp(app, this.options.schemas);
  }

  /** What the engines of all attached apps were made with. */
  engineOptionsOfAll(): AppEngineOptions[] {
    return [...this.apps.values()].map(({ engineOptions }) => engineOptions);
  }

  /** A control packet of an app; descriptors that came with it are closed here. */
  request(id: number, request: AppRequest, fds: number[]): void {
    const app = this.apps.get(id);
    try {
      if (app !== undefined) this.answer(app, request, fds);
    } finally {
      for (const fd of fds) closeFd(fd);
    }
  }

  /** The app is gone, or has to go for `code`: its calls end, its memory comes back. */
  detach(id: number, code: string, reason: string): void {
    const app = this.apps.get(id);
    if (app === undefined) return;
    this.apps.delete(id);
    this.discovery.forget(app);
    const { port } = app;
    this.options.waiter.remove(app.doorbell);
    port.engine.close(Status.UNAVAILABLE, `${port.label} went away: ${reason}`);
    for (const binding of port.bindings) {
      if (binding !== undefined) this.options.schemas.release(binding.schema);
    }
    for (const entry of port.exports) {
      if (entry === undefined) continue;
      this.options.schemas.release(entry.schema);
      this.emitService("unserved", app, entry);
    }
    // A link may still send from the region.
    port.whenUnpinned(() => {
      closeRegion(app.region.memory);
      closeFd(app.region.fd);
    });
    for (const fd of [app.doorbell, app.appDoorbell, app.controlFd]) closeFd(fd);
    this.options.closures.note("app", port.label, code, reason);
    this.options.log.info("detached", { app: id, name: app.identity.name, reason });
    const name = code === "" ? "detached" : "closed";
    const facts = factsOf(id, app.identity);
    this.options.emitEvent(
      "app",
      name,
      code === "" ? { ...facts, reason } : { ...facts, code, reason },
    );
  }

  /** Closes apps that broke a rule, with the reason. */
  closeViolators(): void {
    for (const endpoint of this.violators.splice(0)) {
      const app = this.apps.get(endpoint.id);
      if (app === undefined) continue;
      this.close(app, "ERR_APP_PROTOCOL", endpoint.violation, false);
    }
  }

  /** Tells an app why, and ends its datapath. */
  close(app: HostedApp, code: string, reason: string, reconnect: boolean): void {
    this.options.log.warn("closed", { app: app.id, name: app.identity.name, code, reason });
    send(app.controlFd, { op: "closed", code, message: reason, reconnect }, null);
    this.detach(app.id, code, reason);
    this.options.notify({ op: "closed", app: app.id, code, reason });
  }

  /** Refuses an app because the daemon is about to stop. */
  turnAway(id: number, controlFd: number): void {
    const code = "ERR_DAEMON_DRAIN";
    const reason = "the daemon is about to stop";
    send(controlFd, { op: "closed", code, message: reason, reconnect: true }, null);
    closeFd(controlFd);
    this.options.notify({ op: "closed", app: id, code, reason });
  }

  status(runtime: number): AppStatus[] {
    return [...this.apps.values()].map(({ id, identity, port, attachedMs }) => {
      const endpoint = port.engine;
      const usage = endpoint.receive.usage();
      return {
        ...identity,
        id,
        runtime,
        callsMade: endpoint.callsMade,
        callsServed: endpoint.callsServed,
        outgoing: endpoint.outgoing,
        incoming: endpoint.incoming,
        parked: endpoint.parkedCount,
        sendHeapBytes: endpoint.send.bytes,
        receiveHeapBytes: usage.regionBytes,
        receiveBlocks: usage.blocks,
        exports: port.exports.flatMap((entry) => (entry === undefined ? [] : [entry.name])),
        attachedMs,
      };
    });
  }

  /** What the apps of this runtime may call. */
  *bindings(): Iterable<Binding> {
    for (const { port } of this.apps.values()) {
      for (const binding of port.bindings) if (binding !== undefined) yield binding;
    }
  }

  bindingStatus(runtime: number): BindingStatus[] {
    const { router } = this.options;
    return [...this.apps.values()].flatMap(({ port }) =>
      port.bindings.flatMap((binding): BindingStatus[] => {
        if (binding === undefined) return [];
        const endpoints = [
          ...new Set(router.candidatesOf(binding).map(({ party }) => party.label)),
        ];
        return [
          {
            runtime,
            app: port.label,
            target: binding.target,
            service: binding.schema.typeName,
            schema: binding.schema.hash,
            endpoints,
            problem: endpoints.length > 0 ? "" : router.refusalOf(binding).message,
          },
        ];
      }),
    );
  }

  serviceStatus(): ServiceStatus[] {
    return this.options.router.exports.map(({ name, schema }) => ({
      name,
      service: schema.typeName,
      schema: schema.hash,
      where: "local",
      instances: 1,
      methods: schema.methods.map((method) => method.name),
      descriptorSet: Buffer.from(schema.descriptorSet).toString("base64"),
    }));
  }

  /** Tells all apps that the daemon is about to stop. */
  announceDrain(): void {
    for (const app of this.apps.values()) send(app.controlFd, { op: "drain" }, null);
  }

  private listen({ doorbell, port }: HostedApp): void {
    this.options.waiter.addDoorbell(doorbell, () => this.options.runtime.activate(port.engine));
  }

  private open(id: number, controlFd: number, identity: AppIdentity): HostedApp {
    const { limits } = this.options.config;
    const undo: (() => void)[] = [];
    try {
      const bytes = appRegionBytes(limits.heapRegionBytes, limits.ringSlots);
      const region = createRegion({ name: "koala-app", bytes, appMayWrite: true });
      undo.push(() => {
        closeRegion(region.memory);
        closeFd(region.fd);
      });
      const doorbell = doorbellCreate();
      undo.push(() => closeFd(doorbell));
      const [appListens, appDoorbell] = doorbellPair();
      undo.push(
        () => closeFd(appDoorbell),
        () => closeFd(appListens),
      );
      const app = this.made({ id, identity, controlFd, region, doorbell, appDoorbell });
      this.welcome(app, appListens);
      closeFd(appListens);
      return app;
    } catch (error) {
      for (const step of undo) step();
      throw error;
    }
  }

  private made(
    parts: Pick<HostedApp, "id" | "identity" | "controlFd" | "region" | "doorbell" | "appDoorbell">,
  ): HostedApp {
    const port = portOf(parts.id, parts.identity);
    const { ringSlots, callsPerApp: callsMax } = this.options.config.limits;
    const engineOptions = this.engineOptions({ ...parts, port, ringSlots, callsMax });
    port.engine = this.frontend.create(engineOptions);
    return { ...parts, port, engineOptions, attachedMs: Date.now(), watchesServices: false };
  }

  private engineOptions({
    port,
    region,
    ringSlots,
    callsMax,
    controlFd,
    appDoorbell,
  }: Pick<HostedApp, "port" | "region" | "controlFd" | "appDoorbell"> &
    Pick<AppEngineOptions, "ringSlots" | "callsMax">): AppEngineOptions {
    const { config, runtime, router, translator } = this.options;
    const { limits } = config;
    return {
      port,
      router,
      runtime,
      region: region.memory,
      ringSlots,
      callsMax,
      metadataBytesMax: limits.metadataBytes,
      messageBytesMax: limits.messageBytes,
      receiveBytesMax: limits.receiveHeapBytes,
      regionBytes: limits.heapRegionBytes,
      appDoorbell,
      translator,
      announce: (region, made) =>
        send(
          controlFd,
          { op: "region", heap: "receive", id: region, bytes: made.memory.buffer.byteLength },
          [made.fd],
        ),
      retract: (region) => {
        send(controlFd, { op: "unmap", id: region }, null);
      },
      onViolation: (violator) => {
        this.violators.push(violator);
        this.onViolators();
      },
    };
  }

  private welcome(app: HostedApp, appListens: number): void {
    const { config } = this.options;
    const { limits } = config;
    const appLimits: AppLimits = {
      messageBytesMax: limits.messageBytes,
      metadataBytesMax: limits.metadataBytes,
      callsMax: limits.callsPerApp,
      ringSlots: limits.ringSlots,
      sendHeapBytesMax: limits.sendHeapBytes,
      streamBufferBytes: limits.streamBufferBytes,
    };
    send(
      app.controlFd,
      {
        op: "welcome",
        version: CONTROL_VERSION,
        app: app.id,
        daemon: { name: config.daemon.name, version, pid: process.pid },
        limits: appLimits,
        ringsOffset: ringsOffsetIn(app.region.memory, limits.ringSlots),
        regionBytes: app.region.memory.buffer.byteLength,
      },
      [app.region.fd, app.doorbell, appListens],
    );
  }

  private answer(app: HostedApp, request: AppRequest, fds: number[]): void {
    switch (request.op) {
      case "hello":
        this.close(app, "ERR_APP_PROTOCOL", "a second hello", false);
        return;
      case "bind":
        this.bind(app, request, fds);
        return;
      case "serve":
        this.serve(app, request, fds);
        return;
      case "unserve":
        this.unserve(app, request);
        return;
      case "describe":
        this.discovery.describe(app, request);
        return;
      case "services":
        this.discovery.list(app, request);
        return;
      case "grow":
        this.grow(app, request);
        return;
      case "shrink":
        if (!app.port.engine.removeSendRegion(request.region)) {
          this.close(
            app,
            "ERR_APP_PROTOCOL",
            `send region ${request.region} can't be given back`,
            false,
          );
        }
    }
  }

  private bind(app: HostedApp, request: AppRequest & { op: "bind" }, fds: number[]): void {
    const schema = this.schemaOf(app, request, fds);
    if (schema === undefined) return;
    const { limits } = this.options.config;
    if (app.port.bindings.length >= limits.servicesPerApp) {
      this.options.schemas.release(schema);
      this.refuse(
        app,
        request.seq,
        "ERR_APP_BINDINGS",
        Status.RESOURCE_EXHAUSTED,
        `more than ${limits.servicesPerApp} bindings; raise services_per_app in [limits] of koala.toml`,
      );
      return;
    }
    const binding = app.port.bind(request.target, schema);
    send(app.controlFd, { op: "bound", seq: request.seq, binding: binding.id }, null);
  }

  private serve(app: HostedApp, request: AppRequest & { op: "serve" }, fds: number[]): void {
    const schema = this.schemaOf(app, request, fds);
    if (schema === undefined) return;
    const { limits } = this.options.config;
    const { port } = app;
    if (port.exports.length >= limits.servicesPerApp) {
      this.options.schemas.release(schema);
      this.refuse(
        app,
        request.seq,
        "ERR_APP_SERVICES",
        Status.RESOURCE_EXHAUSTED,
        `more than ${limits.servicesPerApp} services; raise services_per_app in [limits] of koala.toml`,
      );
      return;
    }
    const entry = { id: port.exports.length, party: port, name: request.name, schema };
    port.exports.push(entry);
    // The other runtimes hear of it before the app does, so that it can rely on being found.
    this.options.router.addExport(entry);
    send(app.controlFd, { op: "serving", seq: request.seq, export: entry.id }, null);
    this.options.log.info("serving", {
      app: app.id,
      name: request.name,
      service: request.service,
      schema: request.hash.slice(0, 12),
    });
    this.emitService("served", app, entry);
  }

  private unserve(app: HostedApp, request: AppRequest & { op: "unserve" }): void {
    const entry = app.port.exports[request.export];
    if (entry !== undefined) {
      app.port.exports[request.export] = undefined;
      this.options.router.removeExport(entry);
      this.options.schemas.release(entry.schema);
      this.emitService("unserved", app, entry);
    }
    send(app.controlFd, { op: "unserved", seq: request.seq }, null);
  }

  private emitService(
    event: "served" | "unserved",
    { id: app }: HostedApp,
    { name, schema }: { name: string; schema: ServiceSchema },
  ): void {
    const { typeName: service, hash } = schema;
    this.options.emitEvent("service", event, { name, service, schema: hash.slice(0, 12), app });
  }

  private grow(app: HostedApp, request: AppRequest & { op: "grow" }): void {
    const { limits } = this.options.config;
    const { send: regions } = app.port.engine;
    const bytes = regionBytesFor(request.bytes, limits.heapRegionBytes);
    if (regions.bytes + bytes > limits.sendHeapBytes) {
      this.refuse(
        app,
        request.seq,
        "ERR_APP_SEND_HEAP",
        Status.RESOURCE_EXHAUSTED,
        `a send heap of ${regions.bytes + bytes} bytes is over the limit of ${limits.sendHeapBytes}; raise send_heap in [limits] of koala.toml`,
      );
      return;
    }
    const id = regions.freeId();
    try {
      const region = createRegion({
        name: "koala-send",
        bytes: roundUp(bytes, REGION_UNIT),
        appMayWrite: true,
      });
      regions.add(id, region);
      const message: DaemonMessage = { op: "region", heap: "send", id, bytes, seq: request.seq };
      if (!send(app.controlFd, message, [region.fd])) regions.remove(id, false);
    } catch (error) {
      this.refuse(app, request.seq, "ERR_SHM_CREATE", Status.RESOURCE_EXHAUSTED, messageOf(error));
    }
  }

  private schemaOf(
    app: HostedApp,
    request: { seq: number; service: string; hash: string; schemaBytes: number },
    fds: number[],
  ): ServiceSchema | undefined {
    const { schemas, config } = this.options;
    const read = (): Uint8Array => readSchema(fds, request.schemaBytes, config.limits.schemaBytes);
    const known = schemas.acquire(request.service, request.hash);
    if (known !== undefined) {
      schemas.meet(known, request.schemaBytes, read);
      return known;
    }
    try {
      return schemas.compile(read(), request.service, request.hash);
    } catch (error) {
      if (!(error instanceof KoalaError)) throw error;
      this.refuse(app, request.seq, error.code, Status.INVALID_ARGUMENT, error.message);
      return undefined;
    }
  }

  private refuse(app: HostedApp, seq: number, code: string, status: Status, message: string): void {
    this.options.log.warn("refused", {
      app: app.id,
      name: app.identity.name,
      code,
      reason: message,
    });
    const text = message.slice(0, 8000);
    send(app.controlFd, { op: "refused", seq, code, status, message: text }, null);
  }
}

function factsOf(app: number, identity: AppIdentity): EventFields {
  const { name, pid, uid, thread } = identity;
  return { app, name, pid, uid, thread };
}

/** Sends a control packet; false when the app does not read its channel. */
function send(fd: number, message: DaemonMessage, fds: readonly number[] | null): boolean {
  return sendMessage(fd, Buffer.from(JSON.stringify(message)), fds) > 0;
}

function roundUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}
