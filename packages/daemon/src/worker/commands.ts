/** What the control plane (main thread) and a runtime (worker thread) say to each other. */
import type { AppRequest } from "@koala/protocol";
import type { Config } from "../config/index.ts";
import type { EngineCommand, EngineNotice } from "../engines/engine-orders.ts";
import type { EventNotice } from "../events/event-source.ts";
import type { HandoverCommand, HandoverNotice } from "../handover/runtime-commands.ts";
import type { SiblingEnd } from "../link/siblings.ts";
import type { ObserveCommand, ObserveNotice } from "../observe/observe-orders.ts";
import type { PolicyCommand, PolicyNotice } from "../policies/runtime-plan.ts";
import type { RuntimeStatus } from "./status.ts";

/** What a worker is started with. */
export interface WorkerData {
  readonly index: number;
  readonly config: Config;
  /** Random and new at each start of the daemon, then a slash and what tells this thread from others. */
  readonly instance: string;
  readonly logSpec: string;
  /** Rung after each command. */
  readonly doorbell: number;
  /** Ends of the queues to all other runtimes. */
  readonly siblings: readonly SiblingEnd[];
  /** Peers with resolved numeric hosts. */
  readonly peers: readonly PeerAddress[];
  /** It goes on where a runtime of another process stopped, and waits for that one's state. */
  readonly isTakeover?: boolean;
  /** Where the thread shows what it does, see `Heartbeat`. */
  readonly heartbeat: SharedArrayBuffer;
  /** Marks what the thread has open, see `descriptorLedger` of the addon. */
  readonly descriptors: Int32Array;
  /** Rung when a round begins while nobody looks at the heartbeat. */
  readonly alarm: number;
  /** Processors that the thread is tied to; empty: any. */
  readonly cpus: readonly number[];
}

export interface PeerAddress {
  /** As configured, for people. */
  readonly label: string;
  readonly host: string;
  readonly port: number;
}

export interface AppIdentity {
  readonly name: string;
  readonly library: string;
  readonly thread: number;
  /** As the app says; what policies select by. */
  readonly labels: Readonly<Record<string, string>>;
  readonly pid: number;
  readonly uid: number;
}

/** Main thread to runtime. Descriptors belong to the runtime from then on. */
export type Command =
  | { op: "attach"; app: number; controlFd: number; identity: AppIdentity }
  | { op: "request"; app: number; request: AppRequest; fds: number[] }
  | { op: "detach"; app: number; code: string; reason: string }
  | { op: "link"; fd: number }
  /** All that must be there before the first call is: peers may be looked for. */
  | { op: "open" }
  /** A runtime is new, or was made anew: this runtime's end of the queue to it. */
  | { op: "sibling"; sibling: SiblingEnd }
  /** A runtime is gone, with all that it hosted. */
  | { op: "sibling-gone"; runtime: number; reason: string }
  | { op: "status"; seq: number }
  /** No new calls from anywhere; answered by `drained` once none is open. */
  | { op: "drain" }
  | EngineCommand
  | HandoverCommand
  | PolicyCommand
  | ObserveCommand
  /** Other levels of the log. */
  | { op: "log"; spec: string }
  | { op: "stop" };

/** Runtime to main thread. */
export type Notice =
  | { op: "ready" }
  /** The runtime has ended the datapath and told the app why; the control channel is to be closed. */
  | { op: "closed"; app: number; code: string; reason: string }
  | { op: "status"; seq: number; status: RuntimeStatus }
  | EventNotice
  | { op: "drained" }
  | EngineNotice
  | HandoverNotice
  | PolicyNotice
  | ObserveNotice
  | { op: "stopped" };
