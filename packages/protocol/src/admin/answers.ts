/**
 * What the daemon answers at its admin socket (`<prefix>/admin.sock`): HTTP/1.1, one JSON object an
 * answer, one request a connection. GET asks, POST changes something; `AdminPosts` has the latter. Plain
 * data without behaviour; the daemon's runtimes describe themselves with the same types.
 */

import type { ServiceOffer } from "../link/handshake.ts";
import type {
  ApplyConfigRequest,
  DiffAnswer,
  HistoryAnswer,
  RollbackConfigRequest,
} from "./config.ts";
import type { EventsAnswer } from "./events.ts";
import type { GatewayStatus } from "./gateway.ts";
import type { ModulesAnswer } from "./modules.ts";
import type { CallsAnswer, TopAnswer, TryPolicyAnswer, TryPolicyRequest } from "./observe.ts";
import type {
  AttachPolicyRequest,
  ChangeAnswer,
  DetachPolicyRequest,
  PoliciesAnswer,
  SetPolicyRequest,
  UpgradeModuleRequest,
} from "./policies.ts";
import type { MoveAnswer, MoveRequest, RuntimesAnswer } from "./runtimes.ts";
import type { DaemonUpgradeAnswer, DaemonUpgradeRequest } from "./upgrade.ts";

/** One attached app thread. */
export interface AppStatus {
  id: number;
  runtime: number;
  /** As the app calls itself. */
  name: string;
  /** Version of its client library. */
  library: string;
  /** 0 for the main thread of its process. */
  thread: number;
  /** What it says of itself, for policies to select by. */
  labels: Readonly<Record<string, string>>;
  /** From the kernel, not from the app. */
  pid: number;
  uid: number;
  callsMade: number;
  callsServed: number;
  /** Open calls, made and served. */
  outgoing: number;
  incoming: number;
  /** Messages that wait for room in the app's ring or heap. */
  parked: number;
  sendHeapBytes: number;
  receiveHeapBytes: number;
  receiveBlocks: number;
  /** Mesh names it serves, one entry a service. */
  exports: string[];
  /** When it attached, milliseconds since 1970. */
  attachedMs: number;
}

/** One connection to another daemon. */
export interface LinkStatus {
  runtime: number;
  address: string;
  direction: "outgoing" | "incoming";
  state: "connecting" | "handshake" | "up" | "draining" | "down";
  /** Name of the daemon over there, once it is known. */
  peer: string;
  since: string;
  bytesIn: number;
  bytesOut: number;
  calls: number;
  parked: number;
  /** Why it is down. */
  problem: string;
  services: ServiceOffer[];
}

/** A client of an app: who it may call, and who serves that. */
export interface BindingStatus {
  runtime: number;
  app: string;
  target: string;
  service: string;
  schema: string;
  /** Who serves it now. */
  endpoints: string[];
  /** Why nobody does; "" if somebody does. */
  problem: string;
}

/** A service under a mesh name, in one version of its schema, at one place. */
export interface ServiceStatus {
  /** Mesh name. */
  name: string;
  /** Protobuf service. */
  service: string;
  schema: string;
  /** `local`, or the daemon at the other end of a link: its name, its address while that is unknown. */
  where: string;
  /** App threads that serve it; over a link, those of all versions of the schema together. */
  instances: number;
  /** Protobuf names; empty over a link, which carries hashes only. */
  methods: string[];
}

/** The end of an app's datapath, or of a link. */
export interface ClosureStatus {
  /** ISO 8601. */
  at: string;
  kind: "app" | "link";
  /** The app as in messages, `name[pid]`; of a link its address, with the peer's name once that is known. */
  who: string;
  /** `ERR_…` when the daemon has ended it for breaking a rule; "" for an orderly end, and for links. */
  code: string;
  reason: string;
}

/** One runtime thread and all that it hosts. */
export interface RuntimeStatus {
  index: number;
  rounds: number;
  sleeps: number;
  spins: number;
  spinHits: number;
  cpuSeconds: number;
  openCalls: number;
  apps: AppStatus[];
  links: LinkStatus[];
  bindings: BindingStatus[];
  services: ServiceStatus[];
  /** The last 32 ends of apps and links, oldest first. */
  closures: ClosureStatus[];
}

/** Sums over all runtimes, of the apps and links that are there now. */
export interface DaemonCounters {
  apps: number;
  /** Links that are up. */
  linksUp: number;
  /** Links, in whatever state. */
  links: number;
  bindings: number;
  openCalls: number;
  callsMade: number;
  callsServed: number;
  linkBytesIn: number;
  linkBytesOut: number;
  /** Of the runtimes' threads. */
  cpuSeconds: number;
}

/** The daemon as a whole. */
export interface DaemonStatus {
  name: string;
  version: string;
  pid: number;
  prefix: string;
  /** Where peers connect to, with the real port; null without a port. */
  listen: string | null;
  /** ISO 8601. */
  startedAt: string;
  uptimeMs: number;
  state: "running" | "draining";
  /** Version of Node. */
  node: string;
  memory: { rssBytes: number };
  /** The gateway that it has started; absent when it needs none. */
  gateway?: GatewayStatus;
  counters: DaemonCounters;
  runtimes: RuntimeStatus[];
}

/** One version of a service's schema that apps of this host serve. */
export interface SchemaVersion {
  schema: string;
  /** Mesh names under which it is served. */
  names: string[];
  methods: string[];
  /** `google.protobuf.FileDescriptorSet`, base64. */
  descriptorSet: string;
}

/** Every answer to GET by its path. */
export interface AdminAnswers {
  "/v1/status": DaemonStatus;
  "/v1/apps": { apps: AppStatus[] };
  /** Services of this host and those that peers offer. */
  "/v1/services": { services: ServiceStatus[] };
  "/v1/links": { links: LinkStatus[] };
  "/v1/bindings": { bindings: BindingStatus[] };
  /** `?service=geo.v1.Geo`: 404 `ERR_ADMIN_SERVICE` when no app of this host serves it. */
  "/v1/schema": { service: string; versions: SchemaVersion[] };
  /** `?topic=app,link&since=SEQ&last=N`; with `follow=1` a stream of lines instead, see events.ts. */
  "/v1/events": EventsAnswer;
  "/v1/policies": PoliciesAnswer;
  "/v1/modules": ModulesAnswer;
  "/v1/config/history": HistoryAnswer;
  /** `?from=3&to=5` */
  "/v1/config/diff": DiffAnswer;
  "/v1/runtimes": RuntimesAnswer;
  /** `?id=ID`, or `?last=20&failed=1` */
  "/v1/calls": CallsAnswer;
  "/v1/top": TopAnswer;
  /** `?service=NAME&method=NAME&caller=APP&target=NAME&where=EXPRESSION&rate=N`: a stream of lines, each a `TapLine`. */
  "/v1/tap": never;
}
export type AdminPath = keyof AdminAnswers;

/** What can be changed: request and answer of every POST by its path. */
export interface AdminPosts {
  "/v1/policies/attach": { request: AttachPolicyRequest; answer: ChangeAnswer };
  "/v1/policies/detach": { request: DetachPolicyRequest; answer: ChangeAnswer };
  "/v1/policies/set": { request: SetPolicyRequest; answer: ChangeAnswer };
  "/v1/config/apply": { request: ApplyConfigRequest; answer: ChangeAnswer };
  "/v1/config/rollback": { request: RollbackConfigRequest; answer: ChangeAnswer };
  "/v1/upgrade": { request: UpgradeModuleRequest; answer: ChangeAnswer };
  "/v1/upgrade/daemon": { request: DaemonUpgradeRequest; answer: DaemonUpgradeAnswer };
  "/v1/runtimes/move": { request: MoveRequest; answer: MoveAnswer };
  "/v1/policies/try": { request: TryPolicyRequest; answer: TryPolicyAnswer };
}
export type AdminPostPath = keyof AdminPosts;

/** What there is to be done. */
export const adminPostPaths: readonly AdminPostPath[] = [
  "/v1/policies/attach",
  "/v1/policies/detach",
  "/v1/policies/set",
  "/v1/config/apply",
  "/v1/config/rollback",
  "/v1/upgrade",
  "/v1/upgrade/daemon",
  "/v1/runtimes/move",
  "/v1/policies/try",
];

/** What there is to ask for. */
export const adminPaths: readonly AdminPath[] = [
  "/v1/status",
  "/v1/apps",
  "/v1/services",
  "/v1/links",
  "/v1/bindings",
  "/v1/schema",
  "/v1/events",
  "/v1/policies",
  "/v1/modules",
  "/v1/config/history",
  "/v1/config/diff",
  "/v1/runtimes",
  "/v1/calls",
  "/v1/top",
  "/v1/tap",
];

/** The body of every answer whose status is not 200. */
export interface AdminRefusal {
  /** Stable: `ERR_…`. */
  code: string;
  message: string;
}
