/**
 * What a link is, in plain data: enough for another process, or newer code, to go on with the same
 * connection in the middle of whatever it was doing. Taking the state changes nothing, so a link whose
 * state was not needed after all just goes on.
 *
 * Whatever the output still referred to in the memory of apps is copied: the apps' blocks are free from
 * then on. A large message that was coming in straight to an app's heap goes on in private memory.
 */
import type { Status } from "@koala/interface";
import type { Caller } from "@koala/policy";
import type { Bind, Hello, ServiceOffer } from "@koala/protocol";
import type { BodyState } from "../datapath/body-state.ts";
import type { BlockOwner, Party } from "../datapath/call.ts";
import type { LateReply } from "./late-reply.ts";

/** Of `LinkState`; a reader takes its own version only. */
export const linkStateVersion = 2;

/** Bytes that were received and not taken yet. */
export interface InputState {
  /** From the start of a frame on, unless the body of a chunk is coming in. */
  bytes: Uint8Array;
  /** How many bytes of that chunk's body are still to come. */
  diverted: number;
  /** Whose they are; null: nobody's, they are dropped. */
  stream: number | null;
  isReply: boolean;
  /** Credit to be returned when the chunk is complete. */
  owe: number;
}

/** A large message of which a part is in the output already. */
export interface OutgoingState {
  stream: number;
  fromCallee: boolean;
  /** The rest of its body, padded. */
  rest: Uint8Array;
  sent: number;
  total: number;
  allowed: number;
}

/** A large message that is coming in. */
export interface AssemblyState {
  callId: number;
  stream: number;
  isReply: boolean;
  isMessage: boolean;
  total: number;
  received: number;
  granted: "apart" | "waiting" | "counted";
  /** Lengths, tail, and as much of the body as was received. */
  body: BodyState;
}

/** What this side asked the far side to bind. */
export interface MineState {
  caller: Caller;
  target: string;
  service: string;
  hash: string;
  /** It may be used: a refusal that was forgotten is asked for again under another id. */
  isKnown: boolean;
  schemaSent: boolean;
  state:
    | { state: "pending" }
    | { state: "bound"; id: number }
    | { state: "refused"; status: Status; message: string };
}

/** What the far side asked this side to bind. */
export interface TheirState {
  caller: Caller;
  id: number;
  target: string;
  service: string;
  hash: string;
}

export interface IncompleteState {
  id: number;
  bind: Bind;
  pieces: Uint8Array[];
}

/** How a link names others in its state. */
export interface StateNames {
  /** The id of an app; -1 for one that is gone. */
  appOf(owner: BlockOwner | Party | null): number;
}

/** A block of an app, by its name there. */
export interface BlockName {
  app: number;
  tag: number;
  offset: number;
}

/** A link to a peer, with what its runtime knows of it. */
export interface PeerLinkState {
  /** As configured, or where the connection came from. */
  address: string;
  outgoing: boolean;
  /** When it came up; ms since 1970. */
  since: number;
  isUp: boolean;
  link: LinkState;
}

export interface LinkState {
  version: number;
  /** What calls call it; unique in its runtime. */
  id: number;
  /** The connected socket; -1 for a link to another runtime, which gets a new queue. */
  fd: number;
  /** The other runtime; -1 for a link to another daemon. */
  sibling: number;
  label: string;
  peer: Hello | null;
  draining: boolean;
  offered: ServiceOffer[];
  /** Parts of the next list of services that have come. */
  offering?: ServiceOffer[];
  bytesIn: number;
  bytesOut: number;
  framesIn: number;
  owed: number;
  granted: number;
  input: InputState;
  /** What the transport has not taken yet, beginning perhaps in the middle of a frame. */
  output: Uint8Array;
  credit: number;
  streamWindow: number;
  frameBytes: number;
  outgoing: OutgoingState[];
  lateReplies: LateReply[];
  /** Calls of the far side: stream and call. */
  streams: [number, number][];
  /** Calls that wait for room in the output, in order. */
  parked: number[];
  assemblies: AssemblyState[];
  mine: MineState[];
  theirs: TheirState[];
  incomplete: IncompleteState[];
  /** Blocks of send heaps that nothing refers to any more; their apps are to be told. */
  released: BlockName[];
}
