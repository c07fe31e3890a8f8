/** A channel of grpc-js whose calls go over the mesh. */
import {
  type Channel,
  type ChannelInterface,
  connectivityState,
  type Deadline,
  propagate,
} from "@grpc/grpc-js";
import { KoalaError } from "@koala/interface";
import { type ConnectOptions, connect, type Mesh } from "@koala/mrpc";
import { Connectivity } from "./connectivity.ts";
import { type DescriptorSource, servicesIn } from "./descriptor-source.ts";
import { type CallChannel, type GrpcCall, KoalaCall } from "./koala-call.ts";
import { type ParentCall, parentFor } from "./parent-call.ts";
import { type KnownService, ServiceLookup } from "./service-lookup.ts";

type State = ReturnType<ChannelInterface["getConnectivityState"]>;

export interface KoalaChannelOptions extends Omit<ConnectOptions, "interceptors"> {
  /**
   * The connection to take; it stays the caller's. Without, the channel makes one of its own with the other
   * options, when it is needed, and ends it when it is closed and its calls have ended.
   */
  mesh?: Mesh;
  /**
   * Descriptors of the services that are called, as the caller has them. Without, the daemon is asked for those
   * of a server: a field that this server does not know is then dropped.
   */
  descriptors?: DescriptorSource;
}

/**
 * A channel to what is offered as `target`, for `channelOverride` of generated clients of grpc-js, and for
 * `createClient` of nice-grpc. Throws a `KoalaError` for descriptors that can't be read; all else is said by calls.
 */
export function koalaChannel(target: string, options: KoalaChannelOptions = {}): Channel {
  // The type of grpc-js's own class, which has a private member: nice-grpc takes no other one.
  const channel: ChannelInterface = new KoalaChannel(target, options);
  return channel as Channel;
}

class KoalaChannel implements ChannelInterface, CallChannel {
  readonly target: string;
  private readonly options: KoalaChannelOptions;
  private readonly own: ReturnType<typeof servicesIn>;
  private readonly connectivity = new Connectivity(() => this.state());
  private mesh: Mesh | null = null;
  private lookup: ServiceLookup | null = null;
  private connecting: Promise<ServiceLookup> | null = null;
  private calls = 0;
  private isClosed = false;

  constructor(target: string, options: KoalaChannelOptions) {
    if (typeof target !== "string" || target === "") {
      throw new KoalaError(
        "ERR_GRPCJS_TARGET",
        `koalaChannel: expected the name that a server has in the mesh, found ${JSON.stringify(target)}`,
      );
    }
    this.target = target;
    this.options = options;
    this.own = options.descriptors === undefined ? [] : servicesIn(options.descriptors);
    if (options.mesh !== undefined) this.lookup = this.lookupOn(options.mesh);
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.lookup?.close();
    this.connectivity.check();
    if (this.calls === 0) this.disconnect();
  }

  getTarget(): string {
    return `koala:${this.target}`;
  }

  getConnectivityState(tryToConnect: boolean): State {
    if (tryToConnect && !this.isClosed && this.lookup === null) this.connect().catch(() => {});
    return this.state();
  }

  watchConnectivityState(...watch: Parameters<ChannelInterface["watchConnectivityState"]>): void {
    this.connectivity.watch(...watch);
  }

  getChannelzRef(): ReturnType<ChannelInterface["getChannelzRef"]> {
    // The type's own name for a kind of channel is not exported.
    const ref: unknown = { kind: "channel", id: -1, name: this.getTarget() };
    return ref as ReturnType<ChannelInterface["getChannelzRef"]>;
  }

  createCall(
    method: string,
    deadline: Deadline,
    _host: string | null | undefined,
    parentCall: ParentCall | null,
    propagateFlags: number | null | undefined,
  ): GrpcCall {
    if (this.isClosed) throw new Error(`The channel to "${this.target}" was closed`);
    const parent =
      parentCall === null ? null : parentFor(parentCall, propagateFlags ?? propagate.DEFAULTS);
    return new KoalaCall(this, method, deadline, parent);
  }

  known(service: string): KnownService | undefined {
    return this.lookup?.get(service);
  }

  async find(service: string, waitForReady: boolean): Promise<KnownService> {
    const lookup = this.lookup ?? (await this.connect());
    return lookup.get(service) ?? (await lookup.find(service, waitForReady));
  }

  started(): void {
    this.calls++;
  }

  ended(): void {
    if (--this.calls === 0 && this.isClosed) this.disconnect();
  }

  private state(): State {
    if (this.isClosed) return connectivityState.SHUTDOWN;
    if (this.lookup === null) {
      return this.connecting === null ? connectivityState.IDLE : connectivityState.CONNECTING;
    }
    const isOffered = this.lookup.isOffered();
    if (isOffered === undefined) return connectivityState.CONNECTING;
    return isOffered ? connectivityState.READY : connectivityState.TRANSIENT_FAILURE;
  }

  private connect(): Promise<ServiceLookup> {
    // The next call tries again when it has failed.
    this.connecting ??= this.connectOnce().finally(() => {
      this.connecting = null;
      this.connectivity.check();
    });
    this.connectivity.check();
    return this.connecting;
  }

  private async connectOnce(): Promise<ServiceLookup> {
    const { mesh: _, descriptors: _own, ...options } = this.options;
    this.mesh = await connect(options);
    this.lookup = this.lookupOn(this.mesh);
    // Closed meanwhile, with nobody who would end the connection.
    if (this.isClosed && this.calls === 0) this.disconnect();
    return this.lookup;
  }

  private lookupOn(mesh: Mesh): ServiceLookup {
    return new ServiceLookup(mesh, this.target, this.own, () => this.connectivity.check());
  }

  /** Ends the connection if it is the channel's own. */
  private disconnect(): void {
    this.lookup?.close();
    const { mesh } = this;
    this.mesh = null;
    void mesh?.close();
  }
}
