/** What a gateway is told to do: by flags, or as JSON by the daemon that starts it. */

/** How the gateway calls itself in the mesh. */
export const gatewayName = "koala-gateway";

/** Paths of files in PEM; "" for none. Without a certificate the port is without TLS. */
export interface IngressTlsSettings {
  readonly cert: string;
  readonly key: string;
  /** Who signs certificates of clients; then they must have one. */
  readonly clientCa: string;
}

/** The same for a connection to a server. */
export interface EgressTlsSettings {
  readonly enabled: boolean;
  /** Who signs the server's certificate; "" for those whom Node.js trusts. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface IngressSettings {
  /** For people: logs and status. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** As whom its calls come into the mesh. */
  readonly app: string;
  readonly tls: IngressTlsSettings;
  /** What a service is called in the mesh, where callers do not say so. */
  readonly routes: Readonly<Record<string, string>>;
  /** Origins whose pages may call from a browser; `*` stands for all. */
  readonly origins: readonly string[];
  /** Whether channelz is served, which tells the addresses of clients. */
  readonly channelz: boolean;
  readonly connections: number;
  readonly streams: number;
  readonly headerBytes: number;
  readonly headerMs: number;
  readonly bodyMs: number;
  readonly idleMs: number;
}

/** A server of gRPC outside of the mesh. */
export interface EgressSettings {
  /** What its services are offered as. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Full names of the services; empty: all that it says it has. */
  readonly services: readonly string[];
  /** Path of a `FileDescriptorSet`; empty: the server is asked. */
  readonly descriptors: string;
  readonly tls: EgressTlsSettings;
  readonly connectMs: number;
  readonly keepaliveMs: number;
}

export interface GatewaySettings {
  /** The daemon's folder. */
  readonly prefix: string;
  /** Largest message. */
  readonly messageBytes: number;
  /** How long calls may take to end when the gateway stops. */
  readonly drainMs: number;
  /** The gateway ends when its daemon was away for so long. */
  readonly lingerMs: number;
  readonly ingresses: readonly IngressSettings[];
  readonly egresses: readonly EgressSettings[];
}

/** Limits and times of an ingress about which nobody has said anything. */
export const ingressDefaults: Omit<IngressSettings, "name" | "host" | "port"> = {
  app: gatewayName,
  tls: { cert: "", key: "", clientCa: "" },
  routes: {},
  origins: [],
  channelz: false,
  connections: 1024,
  streams: 256,
  headerBytes: 32 * 1024,
  headerMs: 10_000,
  bodyMs: 30_000,
  idleMs: 300_000,
};

/** The same for the gateway as a whole. */
export const gatewayDefaults: Omit<GatewaySettings, "prefix" | "ingresses" | "egresses"> = {
  messageBytes: 64 * 1024 * 1024,
  drainMs: 10_000,
  lingerMs: 30_000,
};

/** The same for an egress. */
export const egressDefaults: Omit<EgressSettings, "name" | "host" | "port"> = {
  services: [],
  descriptors: "",
  tls: { enabled: false, ca: "", cert: "", key: "" },
  connectMs: 5000,
  keepaliveMs: 30_000,
};
