/**
 * The services that the gateway can call: who offers them, by the daemon's word, and what they look like. A
 * descriptor is asked for when a service is called for the first time, and again when none of its servers has
 * that version any more.
 */
import { createRegistry, type DescFile, type DescService, type Registry } from "@bufbuild/protobuf";
import { KoalaError, messageOf, Status } from "@koala/interface";
import { type Mesh, RpcError, type ServiceOffer } from "@koala/mrpc";
import { rawClient } from "@koala/mrpc/raw";
import { serviceSchemaOf } from "@koala/schema";
import type { Backend } from "./backend.ts";

/** A service as calls need it. */
export interface CatalogService {
  readonly backend: Backend;
  /** Types that its messages may have in a `google.protobuf.Any`. */
  readonly registry: Registry;
}

/** A service that the gateway answers itself. */
export interface OwnService extends CatalogService {
  readonly desc: DescService;
}

interface Described {
  readonly hash: string;
  readonly desc: DescService;
  readonly service: CatalogService;
}

export interface CatalogOptions {
  mesh: Mesh;
  /** The names of services, and what they are offered as, where nobody says which name to take. */
  routes: Readonly<Record<string, string>>;
}

const servicesMax = 4096;

export class ServiceCatalog {
  private readonly mesh: Mesh;
  private readonly routes: Readonly<Record<string, string>>;
  private readonly own = new Map<string, OwnService>();
  private readonly described = new Map<string, Described>();
  private readonly asking = new Map<string, Promise<Described>>();
  private readonly listeners = new Set<() => void>();
  private readonly stopWatching: () => void;
  private offers: readonly ServiceOffer[] = [];
  private hasHeard = false;
  private onHeard: (() => void) | null = null;
  private readonly heard: Promise<void>;

  constructor({ mesh, routes }: CatalogOptions) {
    this.mesh = mesh;
    this.routes = routes;
    this.heard = new Promise((resolve) => {
      this.onHeard = resolve;
    });
    this.stopWatching = mesh.watchServices((offers) => this.update(offers));
  }

  /** Resolves when the daemon has said for the first time what there is. */
  ready(): Promise<void> {
    return this.heard;
  }

  close(): void {
    this.stopWatching();
  }

  /** Adds a service that the gateway answers itself; nobody in the mesh can take its place. */
  add(service: OwnService): void {
    this.own.set(service.desc.typeName, service);
  }

  /** What is offered in the mesh. */
  list(): readonly ServiceOffer[] {
    return this.offers;
  }

  /** All services by their full names, the gateway's own ones too. */
  names(): string[] {
    return [...new Set([...this.own.keys(), ...this.offers.map(({ service }) => service)])].sort();
  }

  /** Has `listener` called after each change of what is offered; returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** The descriptor of a service; undefined when nobody offers it. */
  async describe(typeName: string): Promise<DescService | undefined> {
    const own = this.own.get(typeName);
    if (own !== undefined) return own.desc;
    const target = this.targetOf(typeName, undefined);
    if (target === undefined) return undefined;
    try {
      return (await this.describedAs(typeName, target)).desc;
    } catch {
      return undefined;
    }
  }

  /**
   * The service for a call, at `target` when the caller says so. Throws an `RpcError`: UNIMPLEMENTED for a
   * service that nobody offers, UNAVAILABLE when that can't be said for sure.
   */
  async find(typeName: string, target: string | undefined): Promise<CatalogService> {
    const own = this.own.get(typeName);
    if (own !== undefined) return own;
    if (!this.hasHeard) await this.heard;
    const name = this.targetOf(typeName, target);
    if (name === undefined) throw unknownService(typeName, target);
    const known = this.described.get(keyOf(typeName, name));
    if (known !== undefined && this.isCurrent(typeName, name, known.hash)) return known.service;
    try {
      return (await this.describedAs(typeName, name)).service;
    } catch (error) {
      // Its servers are away just now: the mesh says so to the call, or lets it wait.
      if (known !== undefined) return known.service;
      if (error instanceof KoalaError && error.code === "ERR_DESCRIBE_SERVICE") {
        const isConfigured = target === undefined && this.routes[typeName] === name;
        if (!isConfigured) throw unknownService(typeName, target);
      }
      const text = `${typeName}: its descriptors are not known: ${messageOf(error)}`;
      throw new RpcError(Status.UNAVAILABLE, text, { origin: "local-daemon", cause: error });
    }
  }

  private targetOf(typeName: string, target: string | undefined): string | undefined {
    if (target !== undefined) return target;
    const route = this.routes[typeName];
    if (route !== undefined) return route;
    let first: string | undefined;
    for (const { service, name } of this.offers) {
      if (service === typeName && (first === undefined || name < first)) first = name;
    }
    if (first !== undefined) return first;
    // Known from before: its servers may come back.
    for (const key of this.described.keys()) {
      const [service, name] = JSON.parse(key) as [string, string];
      if (service === typeName) return name;
    }
    return undefined;
  }

  /** Whether some server has this version, or nobody says which one he has. */
  private isCurrent(typeName: string, target: string, hash: string): boolean {
    const offer = this.offers.find(({ name, service }) => service === typeName && name === target);
    return offer === undefined || offer.hashes.includes(hash);
  }

  private describedAs(typeName: string, target: string): Promise<Described> {
    const key = keyOf(typeName, target);
    const known = this.described.get(key);
    if (known !== undefined && this.isCurrent(typeName, target, known.hash)) {
      return Promise.resolve(known);
    }
    let asking = this.asking.get(key);
    if (asking === undefined) {
      asking = this.ask(typeName, target).finally(() => this.asking.delete(key));
      this.asking.set(key, asking);
    }
    return asking;
  }

  private async ask(typeName: string, target: string): Promise<Described> {
    const desc = await this.mesh.describe(typeName, target);
    const { hash } = serviceSchemaOf(desc);
    const key = keyOf(typeName, target);
    const known = this.described.get(key);
    if (known?.hash === hash) return known;
    const client = rawClient(this.mesh, desc, target);
    const service: CatalogService = {
      backend: {
        service: desc,
        unary: (method, request, options) => client.unary(method, request, options),
        stream: (method, requests, options) => client.stream(method, requests, options),
      },
      registry: registryOf(desc.file),
    };
    const described = { hash, desc, service };
    if (this.described.size >= servicesMax) {
      this.described.delete(this.described.keys().next().value as string);
    }
    this.described.set(key, described);
    return described;
  }

  private update(offers: readonly ServiceOffer[]): void {
    this.offers = offers;
    this.hasHeard = true;
    this.onHeard?.();
    for (const listener of this.listeners) listener();
  }
}

/** The types of a file and of all that it imports. */
export function registryOf(root: DescFile): Registry {
  return createRegistry(...filesOf([root]));
}

/** Files with all that they import, imports first. */
export function filesOf(roots: readonly DescFile[]): DescFile[] {
  const files = new Map<string, DescFile>();
  const visit = (file: DescFile): void => {
    if (files.has(file.proto.name)) return;
    file.dependencies.forEach(visit);
    files.set(file.proto.name, file);
  };
  roots.forEach(visit);
  return [...files.values()];
}

function keyOf(service: string, target: string): string {
  return JSON.stringify([service, target]);
}

function unknownService(service: string, target: string | undefined): RpcError {
  const where = target === undefined ? "" : ` as "${target}"`;
  return new RpcError(
    Status.UNIMPLEMENTED,
    `nobody offers the service ${service}${where}; "koalactl services" lists what there is`,
    { origin: "local-daemon" },
  );
}
