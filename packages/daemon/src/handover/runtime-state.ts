/** What one runtime thread hands to its successor in another process. */
import type { SlotState } from "@koala/policy/engine";
import { type AppState, appDescriptors, withAppDescriptors } from "../datapath/app-state.ts";
import type { CallTableState } from "../datapath/call-state.ts";
import type { LinkState, PeerLinkState } from "../link/link-state.ts";

/** Of everything that one process hands to the next: a reader takes its own version only. */
export const daemonStateVersion = 2;

/** A schema that something in the state names. */
export interface SchemaState {
  readonly service: string;
  readonly hash: string;
  readonly descriptorSet: Uint8Array;
}

export interface RuntimeState {
  readonly index: number;
  readonly schemas: readonly SchemaState[];
  readonly apps: readonly AppState[];
  /** Links to the other runtimes. */
  readonly siblings: readonly LinkState[];
  /** Links to other daemons. */
  readonly peers: readonly PeerLinkState[];
  readonly calls: CallTableState;
  readonly policies: readonly SlotState[];
}

/** What an operator wants to know of it. */
export interface RuntimeSummary {
  readonly apps: number;
  readonly links: number;
  readonly calls: number;
  readonly messages: number;
  readonly descriptors: number;
}

/** The same state with other numbers for its descriptors; asks for each one once. */
export function swapDescriptors(state: RuntimeState, swap: (fd: number) => number): RuntimeState {
  return {
    ...state,
    apps: state.apps.map((app) => withAppDescriptors(app, appDescriptors(app).map(swap))),
    peers: state.peers.map((peer) => ({
      ...peer,
      link: { ...peer.link, fd: swap(peer.link.fd) },
    })),
  };
}

export function summaryOf(state: RuntimeState, descriptors: number): RuntimeSummary {
  const links = [...state.siblings, ...state.peers.map(({ link }) => link)];
  const messages = links.reduce(
    (sum, { outgoing, assemblies }) => sum + outgoing.length + assemblies.length,
    0,
  );
  return {
    apps: state.apps.length,
    links: state.peers.length,
    calls: state.calls.calls.length,
    messages,
    descriptors,
  };
}
