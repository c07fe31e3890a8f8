/**
 * The services that one target offers, for a caller that has no descriptors: the daemon is asked for them at the
 * first call, and again when no server has that version any more.
 */
import type { DescMethod, DescService } from "@bufbuild/protobuf";
import { KoalaError, messageOf, Status } from "@koala/interface";
import { type Mesh, RpcError, type ServiceOffer } from "@koala/mrpc";
import { type RawClient, rawClient } from "@koala/mrpc/raw";
import { serviceSchemaOf } from "@koala/schema";

/** A service that can be called. */
export interface KnownService {
  readonly client: RawClient;
  /** By their names as they are in paths. */
  readonly methods: ReadonlyMap<string, DescMethod>;
  /** Of the schema; null when it is the caller's own, which is always right. */
  readonly hash: string | null;
}

export class ServiceLookup {
  private readonly mesh: Mesh;
  private readonly target: string;
  private readonly onChange: () => void;
  private readonly known = new Map<string, KnownService>();
  private readonly asking = new Map<string, Promise<KnownService>>();
  private readonly stopWatching: () => void;
  private offers: readonly ServiceOffer[] | null = null;
  private changes = 0;
  private nextChange: Promise<void> | null = null;
  private resolveChange: (() => void) | null = null;

  /** `own`: services of which the caller has descriptors. `onChange` is called when offers have changed. */
  constructor(mesh: Mesh, target: string, own: readonly DescService[], onChange: () => void) {
    this.mesh = mesh;
    this.target = target;
    this.onChange = onChange;
    for (const desc of own) this.known.set(desc.typeName, this.knownService(desc, null));
    this.stopWatching = mesh.watchServices((offers) => this.update(offers));
  }

  /** Whether somebody offers anything as the target; undefined as long as the daemon has not said. */
  isOffered(): boolean | undefined {
    return this.offers?.some((offer) => this.isFor(offer));
  }

  /** The service, if it is known already. */
  get(service: string): KnownService | undefined {
    return this.known.get(service);
  }

  /** The service. Rejects with an `RpcError`; with `waitForReady` it waits instead until somebody offers it. */
  async find(service: string, waitForReady: boolean): Promise<KnownService> {
    for (let isRepeated = false; ; isRepeated = true) {
      const { changes } = this;
      try {
        return await this.ask(service);
      } catch (error) {
        const isUnknown = error instanceof KoalaError && error.code === "ERR_DESCRIBE_SERVICE";
        if (!isUnknown) {
          const text = `${service}: its descriptors are not known: ${messageOf(error)}`;
          throw unavailable(Status.UNAVAILABLE, text, error);
        }
        if (!waitForReady) {
          const offers = await this.mesh.services();
          const found = offers.filter((offer) => this.isFor(offer));
          // It has come meanwhile.
          const isThere = found.some((offer) => offer.service === service);
          if (!isThere || isRepeated) throw this.missing(service, found, error);
        } else if (changes === this.changes) await this.change();
      }
    }
  }

  close(): void {
    this.stopWatching();
  }

  private ask(service: string): Promise<KnownService> {
    let asking = this.asking.get(service);
    if (asking === undefined) {
      asking = this.askDaemon(service).finally(() => this.asking.delete(service));
      this.asking.set(service, asking);
    }
    return asking;
  }

  private async askDaemon(service: string): Promise<KnownService> {
    const desc = await this.mesh.describe(service, this.target);
    const known = this.knownService(desc, serviceSchemaOf(desc).hash);
    this.known.set(service, known);
    return known;
  }

  private knownService(desc: DescService, hash: string | null): KnownService {
    return {
      client: rawClient(this.mesh, desc, this.target),
      methods: new Map(desc.methods.map((method) => [method.name, method])),
      hash,
    };
  }

  /** An offer without a name, which only a loopback has, is for every target. */
  private isFor({ name }: ServiceOffer): boolean {
    return name === this.target || name === "";
  }

  private missing(service: string, found: readonly ServiceOffer[], cause: unknown): RpcError {
    const { target } = this;
    if (found.length === 0) {
      return unavailable(Status.UNAVAILABLE, `nobody offers "${target}" here`, cause);
    }
    if (found.some((offer) => offer.service === service)) {
      const text = `${service}: "${target}" offers it, but its descriptors could not be had`;
      return unavailable(Status.UNAVAILABLE, text, cause);
    }
    const names = found.map((offer) => offer.service).join(", ");
    const text = `"${target}" does not offer the service ${service}; it has ${names}`;
    return unavailable(Status.UNIMPLEMENTED, text, cause);
  }

  private change(): Promise<void> {
    this.nextChange ??= new Promise((resolve) => {
      this.resolveChange = resolve;
    });
    return this.nextChange;
  }

  private update(offers: readonly ServiceOffer[]): void {
    this.offers = offers;
    this.changes++;
    for (const [service, { hash }] of this.known) {
      const offer = offers.find((each) => each.service === service && this.isFor(each));
      // Nobody at all: its servers may come back as they were.
      if (hash !== null && offer !== undefined && !offer.hashes.includes(hash)) {
        this.known.delete(service);
      }
    }
    this.resolveChange?.();
    this.nextChange = null;
    this.resolveChange = null;
    this.onChange();
  }
}

function unavailable(status: Status, text: string, cause: unknown): RpcError {
  return new RpcError(status, text, { origin: "local-daemon", cause });
}
