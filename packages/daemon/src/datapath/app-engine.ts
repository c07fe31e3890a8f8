/**
 * What a runtime needs of the engine that serves one app: the contract between the daemon and the code of a
 * frontend, built in or loaded later.
 */
import type { Engine, Status } from "@koala/interface";
import type { Runtime } from "@koala/runtime";
import type { Memory } from "@koala/shm";
import type { Replaceable } from "../engines/engine-module.ts";
import type { Flow } from "../streams/flow.ts";
import type { AppPort } from "./app-port.ts";
import type { Call, Party } from "./call.ts";
import type { EndpointState } from "./endpoint-state.ts";
import type { ReceiveSpace, ReceiveSpaceOptions } from "./receive-space.ts";
import type { Router } from "./router.ts";
import type { SendRegions } from "./send-regions.ts";
import type { Translator } from "./translator.ts";

/** What it takes to serve an app. */
export interface AppEngineOptions {
  /** The app, for everybody else. */
  port: AppPort;
  router: Router;
  runtime: Runtime;
  /** The app's first region, see app-region.ts. */
  region: Memory;
  ringSlots: number;
  callsMax: number;
  metadataBytesMax: number;
  messageBytesMax: number;
  receiveBytesMax: number;
  regionBytes: number;
  /** Doorbell that wakes the app. */
  appDoorbell: number;
  translator: Translator;
  announce: ReceiveSpaceOptions["announce"];
  retract: (id: number) => void;
  /** The app broke a rule: the host closes the datapath soon. `violation` says why. */
  onViolation: (app: AppEngine) => void;
}

export interface AppEngine extends Engine, Omit<Party, "receive">, Replaceable<EndpointState> {
  readonly id: number;
  readonly send: Pick<SendRegions, "bytes" | "add" | "get" | "freeId" | "remove">;
  readonly receive: Pick<ReceiveSpace, "heap" | "reserve" | "free" | "usage">;
  /** Why the datapath must be closed; "" while all is well. */
  readonly violation: string;
  /** Calls the app made that are open, calls it serves that are open. */
  readonly outgoing: number;
  readonly incoming: number;
  readonly callsMade: number;
  readonly callsServed: number;
  /** Calls whose request or reply waits for room here. */
  readonly parkedCount: number;
  /** The app gives a region of its send heap back; false when it has none with this id. */
  removeSendRegion(id: number): boolean;
  /** A block of the app's send heap is its own again. */
  releaseBlock(tag: number, offset: number): void;
  /** Ends everything that the app has to do with. */
  close(status: Status, reason: string): void;

  // For successors, between `restore` and `resume`:

  /** Calls that wait for room here, in order. */
  parkedCalls(): readonly Call[];
  /** Flows of streaming calls that wait for room here, in order. */
  parkedFlows(): readonly Flow[];
  /** As the app knows a call that it serves: the call's id, unless the call was made in another runtime. */
  knownAs(call: Call): number;
  /** The app has made this call. */
  adoptOutgoing(call: Call): void;
  /** The app serves this call, and has got the request. */
  adoptIncoming(call: Call, knownAs: number): void;
  /** A message of this call waits for room here, behind those adopted before. */
  adoptParked(call: Call): void;

  // For moves to another runtime, while suspended:

  /** Forgets a call of the app whose request is still in its memory; the slot that makes it again. */
  withdraw(call: Call): Int32Array;
  /** Slots that `withdraw` gave: they are taken before those in the ring. */
  defer(slots: readonly Int32Array[]): void;
  /** Takes a reply of the app that waits elsewhere out of its memory; false when it is malformed. */
  detachReply(call: Call): boolean;
}
