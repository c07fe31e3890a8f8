/**
 * An open call as one daemon process hands it to the next. Parties are named, not contained; a call keeps
 * its id, because slots and frames on their way name it.
 */
import type { Origin, Status } from "@koala/interface";
import type { Caller } from "@koala/policy";
import type { StreamState } from "../streams/stream-state.ts";
import type { SchemaRef } from "./app-state.ts";
import type { Reach } from "./binding.ts";
import type { BodyState } from "./body-state.ts";
import type { Parked } from "./call.ts";
import type { ChainState } from "./chain-saving.ts";

/** A party of a call: an app by its id, a link by the id that whoever takes the state gives it. */
export interface PartyRef {
  readonly kind: "app" | "link";
  readonly id: number;
}

/** What a call goes by when its caller's binding is in another runtime. */
export interface LooseBinding {
  readonly target: string;
  readonly schema: SchemaRef;
  readonly identity: Caller;
  readonly reach: Reach;
}

export interface CallState {
  /** Index and generation. */
  readonly id: number;
  /** Null: nobody waits for the reply any more. */
  readonly caller: PartyRef | null;
  readonly callerId: number;
  /** As the app that serves it knows it: its id, unless it was made in another runtime. */
  readonly knownAs: number;
  /** Null: its request waits until somebody serves it. */
  readonly callee: PartyRef | null;
  /** The caller's binding, by its id there; -1 when the call has none. */
  readonly binding: number;
  /** Whose binding it is, also when the caller has given up. */
  readonly bindingOwner: PartyRef | null;
  /** The binding itself where it belongs to nobody's list, as for a call of an app that has moved away. */
  readonly loose: LooseBinding | null;
  /** Index in the caller's schema. */
  readonly method: number;
  readonly waitForReady: boolean;
  readonly calleeTarget: number;
  readonly calleeMethod: number;
  /** Schema of the serving app, for the translation of the reply; null when the callee is a link. */
  readonly server: SchemaRef | null;
  /** Milliseconds until the deadline, at least 1; 0 = none. */
  readonly timeLeftMs: number;
  readonly blockTag: number;
  readonly blockOffset: number;
  readonly holdsRequest: boolean;
  readonly status: Status;
  readonly origin: Origin;
  readonly parked: Parked;
  /** In whose queue it waits; null: in none, its message is still coming in. */
  readonly waitsAt: "router" | "caller" | "callee" | null;
  /** A policy held it: it is offered to that one once more. */
  readonly isHeld: boolean;
  /** Its policies, and how far it has come there. */
  readonly chain: ChainState | null;
  /** The slot that brought a parked message from an app. */
  readonly slot: Int32Array | null;
  /** A parked message that is in memory of the daemon. */
  readonly copy: BodyState | null;
  /** Its other messages. */
  readonly stream: StreamState | null;
  /** The link in whose window it counts, and how much. */
  readonly copyOwner: PartyRef | null;
  readonly copyCost: number;
}

/** The calls of one runtime. */
export interface CallTableState {
  /** By index: the id that its next call gets, or that its open call has. */
  readonly ids: Uint32Array;
  /** Those that wait somewhere in the order in which they do. */
  readonly calls: readonly CallState[];
}
