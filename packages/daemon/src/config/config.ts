/**
 * The configuration of a daemon as the rest of the code sees it: plain, read-only, every unit in the
 * name. It can be sent to worker threads as it is. Keys, defaults and ranges: docs/reference/config.md.
 */
import type { RuntimeAffinity, RuntimeMode } from "@koala/protocol";
import type { Address } from "./address.ts";

export interface Config {
  readonly daemon: DaemonConfig;
  readonly peers: readonly PeerConfig[];
  readonly limits: LimitsConfig;
  readonly link: LinkConfig;
  readonly runtime: RuntimeConfig;
  readonly placements: readonly PlacementConfig[];
  readonly log: LogConfig;
  readonly modules: ModulesConfig;
  /** Doors for clients of gRPC; the gateway's. */
  readonly ingresses: readonly IngressConfig[];
  /** Servers of gRPC that the gateway speaks for. */
  readonly egresses: readonly EgressConfig[];
  /** In the order of the file. */
  readonly policies: readonly PolicyConfig[];
}

export interface DaemonConfig {
  /** Absolute path of the directory that holds the daemon's sockets. */
  readonly prefix: string;
  /** The name that peers see. */
  readonly name: string;
  /** Where peers connect to; null for a daemon without a port. */
  readonly listen: Address | null;
  /** Number of runtime threads. */
  readonly runtimes: number;
  /** Longest wait for calls in flight when stopping. */
  readonly drainMs: number;
}

/** Another daemon to keep a link to. */
export interface PeerConfig {
  readonly address: Address;
  /** What logs and tools call it; null when it is known by its address only. */
  readonly name: string | null;
}

export interface LimitsConfig {
  /** Largest message body. */
  readonly messageBytes: number;
  /** Largest metadata of one call, one way. */
  readonly metadataBytes: number;
  /** Connected app connections. */
  readonly apps: number;
  /** Calls in flight of one app; a power of two. */
  readonly callsPerApp: number;
  /** Slots of one ring; a power of two, at least twice `callsPerApp`. */
  readonly ringSlots: number;
  /** Most memory of one app's send heap. */
  readonly sendHeapBytes: number;
  /** Most memory of one app's receive heap. */
  readonly receiveHeapBytes: number;
  /** The first region of a heap. */
  readonly heapRegionBytes: number;
  /** Largest schema that an app may register. */
  readonly schemaBytes: number;
  /** Links to other daemons, both directions together. */
  readonly links: number;
  /** Bytes in flight on one link, one way. */
  readonly linkWindowBytes: number;
  /** Bytes in flight of one stream, one way. */
  readonly streamWindowBytes: number;
  /** Messages of one streaming call that wait for its reader in an app, bytes, one way. */
  readonly streamBufferBytes: number;
  /** Services that one app may serve. */
  readonly servicesPerApp: number;
}

export interface LinkConfig {
  readonly connectTimeoutMs: number;
  /** First pause before connecting again. */
  readonly reconnectMinMs: number;
  /** Longest pause before connecting again. */
  readonly reconnectMaxMs: number;
  /** Silence after which a link is probed. */
  readonly keepaliveMs: number;
  /** Largest payload of one frame. */
  readonly frameBytes: number;
}

export interface RuntimeConfig {
  /** Whether a runtime looks for work for a while before it sleeps. */
  readonly spin: "adaptive" | "off" | "fixed";
  /** The time to spin when `spin` is `fixed`, else 0. */
  readonly spinMicros: number;
  /** The longest time to spin when `spin` is `adaptive`. */
  readonly spinMaxMicros: number;
  /** Slots that one poll of an engine handles at most. */
  readonly budget: number;
  /** How a runtime is chosen for an app that attaches. */
  readonly mode: RuntimeMode;
  /** Most runtimes that `dedicated` makes; at least those that are there from the start. */
  readonly runtimesMax: number;
  /** What runtime threads are tied to. */
  readonly affinity: RuntimeAffinity;
  /** How long one round may take before the runtime counts as hanging. */
  readonly stallMs: number;
  /** Whether apps move to other runtimes by themselves. */
  readonly rebalance: "on" | "off";
}

/** Where apps go whose name fits. */
export interface PlacementConfig {
  /** Name of the app; `*` stands for any text. */
  readonly caller: string;
  /** Index of a runtime, or how it is chosen. */
  readonly runtime: number | RuntimeMode;
}

export interface LogConfig {
  /** For `createLog`: a level, or levels by area. */
  readonly level: string;
  /** Absolute path; "" for standard error. */
  readonly file: string;
}

/** Absolute paths of files in PEM; "" for none. */
export interface IngressTlsConfig {
  readonly cert: string;
  readonly key: string;
  /** Who signs certificates of clients, which then must have one. */
  readonly clientCa: string;
}

/** Absolute paths of files in PEM; "" for none. */
export interface EgressTlsConfig {
  readonly enabled: boolean;
  /** Who signs the certificate of the server; "" for those whom Node.js trusts. */
  readonly ca: string;
  /** Of the gateway as a client. */
  readonly cert: string;
  readonly key: string;
}

/** A port at which the gateway takes calls. */
export interface IngressConfig {
  /** For people. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** As whom its calls come into the mesh. */
  readonly app: string;
  readonly tls: IngressTlsConfig;
  /** Names in the mesh by services, for callers who name none. */
  readonly routes: Readonly<Record<string, string>>;
  /** Origins whose pages may call from a browser; `*` stands for all. */
  readonly origins: readonly string[];
  /** Whether channelz is served, which tells the addresses of clients. */
  readonly channelz: boolean;
  /** Connections at a time. */
  readonly connections: number;
  /** Streams of one connection at a time. */
  readonly streams: number;
  /** All headers of one request. */
  readonly headerBytes: number;
  /** Longest wait for the first request of a connection. */
  readonly headerMs: number;
  /** Longest wait for more of a request that has one message. */
  readonly bodyMs: number;
  /** How long a connection may be without a request. */
  readonly idleMs: number;
}

/** A server of gRPC outside of the mesh. */
export interface EgressConfig {
  /** What its services are offered as. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Full names; empty: all that it has. */
  readonly services: readonly string[];
  /** Absolute path of a file with descriptors; "" to ask the server. */
  readonly descriptors: string;
  readonly tls: EgressTlsConfig;
  readonly connectMs: number;
  readonly keepaliveMs: number;
}

export interface ModulesConfig {
  /** Absolute paths of the folders that code may be loaded from. */
  readonly directories: readonly string[];
  /** What relative paths in `use` are relative to: the folder of the file. */
  readonly base: string;
}

/** A policy as somebody wants it, with all defaults filled in. Plain data, as JSON has it. */
export interface PolicyConfig {
  /** Unique. */
  readonly name: string;
  /** A module: a name or a path. */
  readonly use: string;
  readonly match: MatchConfig;
  /** Smaller goes first. */
  readonly order: number;
  readonly enabled: boolean;
  readonly onFailure: "open" | "closed";
  /** Longest time that one run of a handler may take. */
  readonly budgetMicros: number;
  /** The policy's own table; unchecked. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** Which calls a policy sees; what is not there matches everything. Lists mean "one of". */
export interface MatchConfig {
  readonly service?: readonly string[];
  readonly method?: readonly string[];
  readonly caller?: readonly string[];
  readonly target?: readonly string[];
  readonly side?: "client" | "server";
  readonly labels?: Readonly<Record<string, string>>;
}
