/** The two ends of a route: who wants to call a service (binding) and who serves it (export). */
import type { Status } from "@koala/interface";
import type { Caller } from "@koala/policy";
import type { Chain } from "@koala/policy/engine";
import type { Describe, ServiceOffer } from "@koala/protocol";
import type { MessageCodec, MethodSchema, ServiceSchema, Transcoder } from "@koala/schema";
import type { Heap } from "@koala/shm";
import { Traffic } from "../observe/traffic.ts";
import type { Party } from "./call.ts";
import type { PartyEndpoint } from "./endpoints.ts";
import type { OnDescribed } from "./service-lookup.ts";

/**
 * How far calls may go, by where they came from: those of apps anywhere; those that came over a link from
 * another daemon to the apps of this one, whichever of its runtimes serves them; those that came from a
 * sibling runtime no further. So no call goes round in circles.
 */
export type Reach = "anywhere" | "siblings" | "nowhere";

/** One caller's wish to call one service under a mesh name, with the schema it was built with. */
export interface Binding {
  /** Chosen by the caller (link) or by the caller's datapath (app); unique there. */
  readonly id: number;
  readonly caller: Party;
  /** Who that is, for policies and for the daemons that the calls go on to. */
  readonly identity: Caller;
  readonly target: string;
  readonly schema: ServiceSchema;
  /** How far beyond the apps of this runtime its calls may go. */
  readonly reach: Reach;
  /** Where its calls can go; valid while `version` equals the router's. */
  candidates: Candidate[];
  version: number;
  /** Whose turn it is. */
  turn: number;
  /** By method, the candidates as routing policies see them; as valid as those are. */
  endpoints: (PartyEndpoint[] | undefined)[];
  /** By method, the policies that its calls go through; undefined: not asked for yet. Valid while `chainsVersion` is. */
  chains: (Chain | null | undefined)[];
  chainsVersion: number;
  /** What its calls amount to. */
  readonly traffic: Traffic;
}

export function createBinding(
  id: number,
  caller: Party,
  identity: Caller,
  target: string,
  schema: ServiceSchema,
  reach: Reach,
): Binding {
  return {
    id,
    caller,
    identity,
    target,
    schema,
    reach,
    candidates: [],
    version: -1,
    turn: 0,
    endpoints: [],
    chains: [],
    chainsVersion: -1,
    traffic: new Traffic(),
  };
}

/** One place that can serve a binding. */
export interface Candidate {
  readonly party: Party;
  /** What `Call.calleeTarget` will be. */
  readonly target: number;
  /** App threads behind it that serve the binding. */
  readonly instances: number;
  /** Per method of the caller's schema; undefined: the server has no such method. */
  readonly methods: readonly (CandidateMethod | undefined)[];
}

export interface CandidateMethod {
  readonly index: number;
  readonly request: Transcoder | null;
  readonly reply: Transcoder | null;
  /** Layout of the server's reply. */
  readonly output: MessageCodec;
}

/** Candidate methods of a server that has the caller's very schema. */
export function sameMethods(methods: readonly MethodSchema[]): CandidateMethod[] {
  return methods.map((method) => ({
    index: method.index,
    request: null,
    reply: null,
    output: method.output,
  }));
}

/** A service that one app thread serves under a mesh name. */
export interface Export {
  /** Unique within the app. */
  readonly id: number;
  readonly party: Party;
  readonly name: string;
  readonly schema: ServiceSchema;
}

/** What a link says about a binding. */
export type LinkBindingState =
  | { readonly state: "pending" }
  /** `id`: what `Call.calleeTarget` must be. */
  | { readonly state: "bound"; readonly id: number }
  | { readonly state: "refused"; readonly status: Status; readonly message: string };

/** A link as the router sees it. */
export interface RouteLink extends Party {
  /** It leads to another runtime of this daemon, not to another host. */
  readonly sibling: boolean;
  /** Whether the far daemon offers this mesh name at all, and this service under it. */
  offers(target: string, service: string): "no" | "name" | "service";
  /** Asks the far daemon for the binding, once; the router is told when the answer is there. */
  bindingState(binding: Binding): LinkBindingState;
  /** App threads over there that serve it. */
  instances(target: string, service: string): number;
  /** A receive heap is about to be closed: what is coming in to it goes elsewhere. */
  evacuate(heap: Heap): void;
  /** Mesh names the far daemon offers, for messages. */
  names(): string[];
  /** What the far daemon offers. */
  services(): readonly ServiceOffer[];
  /** Asks it for descriptors; `done` is called once. */
  readonly bindings: {
    readonly descriptions: { ask(question: Describe, done: OnDescribed): void };
  };
}

/** Why a binding can't be served right now. */
export interface Refusal {
  status: Status;
  message: string;
  /** True if waiting makes sense: something is about to answer. */
  pending: boolean;
}
