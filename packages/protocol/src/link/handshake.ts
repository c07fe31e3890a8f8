/** The JSON bodies of the cold frames of a link. */

/** A service that can be reached through a daemon. */
export interface ServiceOffer {
  /** Mesh name, what `mesh.client(Geo, "geo")` names. */
  name: string;
  /** Protobuf service, `geo.v1.Geo`. */
  service: string;
  /** Schema hashes of its instances. */
  hashes: string[];
  /** How many app threads serve it. */
  instances: number;
}

export interface Hello {
  magic: "koala-link";
  version: number;
  /** Optional abilities, by name; both sides use those that both named. */
  features: string[];
  /** Name of the daemon, for people. */
  name: string;
  /** Random, new at each start: tells two daemons apart, whatever their names. */
  instance: string;
  /** Bytes of frames that carry messages which may be on their way to me before I return credit. */
  linkWindow: number;
  /** Bytes of one message body that may be sent before I have granted more. */
  streamWindow: number;
  /** Largest frame I take. */
  frameBytes: number;
  /** Largest message I take, inline part and segments. */
  messageBytes: number;
  /** Longest metadata of one message I take. */
  metadataBytes: number;
  services: ServiceOffer[];
}

export interface Services {
  services: ServiceOffer[];
  /** The list goes on in the next SERVICES; it counts once it is complete. */
  more?: boolean | undefined;
}

/** Who the calls of a binding are made by, as their daemon knows it. */
export interface BindCaller {
  /** What the app calls itself. */
  app: string;
  /** The daemon of the caller; "" for the one that says so. */
  host: string;
  /** Numeric user id; -1 when it is not known. */
  uid: number;
  labels: Record<string, string>;
}

/** The binding's id is the frame's stream. Callers that are alike in all of `caller` share one. */
export interface Bind {
  target: string;
  service: string;
  hash: string;
  caller: BindCaller;
}

/** Why a binding can't be had. */
export interface Refused {
  /** A stable error code, `ERR_SCHEMA_CONFLICT` for instance. */
  code: string;
  /** The gRPC status that calls through it get. */
  status: number;
  message: string;
}

/** Whose descriptors are wanted. */
export interface Describe {
  service: string;
  /** The mesh name that it is offered under; left out: any. */
  target?: string | undefined;
}

export interface Goaway {
  code: string;
  reason: string;
}
