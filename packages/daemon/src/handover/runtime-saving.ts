/** A runtime as plain data, and back: its apps, links and calls. Both while it stands still. */
import { KoalaError } from "@koala/interface";
import { AppPort } from "../datapath/app-port.ts";
import type { Binding } from "../datapath/binding.ts";
import type { BlockOwner, CopyOwner, Party } from "../datapath/call.ts";
import {
  type PartyNames,
  type RestoredParties,
  restoreCalls,
  saveCalls,
} from "../datapath/call-saving.ts";
import type { PartyRef } from "../datapath/call-state.ts";
import type { Router } from "../datapath/router.ts";
import type { SchemaStore } from "../datapath/schema-store.ts";
import type { Link } from "../link/link.ts";
import type { LinkState } from "../link/link-state.ts";
import type { Peers } from "../link/peers.ts";
import type { SiblingEnd, Siblings } from "../link/siblings.ts";
import type { AppHost, HostedApp } from "../worker/app-host.ts";
import { saveApp } from "../worker/app-saving.ts";
import type { PeerAddress } from "../worker/commands.ts";
import type { RuntimePolicies } from "../worker/runtime-policies.ts";
import type { RuntimeState } from "./runtime-state.ts";
import { schemaStates } from "./worker-handover.ts";

export interface RuntimeParts {
  index: number;
  host: AppHost;
  router: Router;
  schemas: SchemaStore;
  peers: Peers;
  siblings: Siblings;
  policies: RuntimePolicies;
  /** Ends of the queues to all other runtimes, which were not opened yet. */
  siblingEnds: readonly SiblingEnd[];
  /** Peers to be connected to. */
  peerAddresses: readonly PeerAddress[];
}

export class RuntimeSaving {
  private readonly parts: RuntimeParts;
  /** What was restored and waits for `resume`. */
  private readonly apps: HostedApp[] = [];
  private readonly links: Link[] = [];
  private readonly connected = new Set<string>();
  private isSuspended = false;

  constructor(parts: RuntimeParts) {
    this.parts = parts;
  }

  /** The state of everything; `goOn` takes back what it did. */
  save(): RuntimeState {
    const { index, host, router, schemas, peers, siblings, policies } = this.parts;
    this.isSuspended = true;
    for (const link of siblings.all().values()) link.state.takeRest();
    for (const { port } of host.apps.values()) {
      port.engine.suspend();
      // Nobody can map a receive heap for writing again: what is coming in there goes on elsewhere.
      router.evacuate(port.engine.receive.heap);
    }
    const ids = new Map<unknown, number>();
    for (const link of [...siblings.all().values(), ...peers.links()]) ids.set(link, ids.size);
    for (const [link, id] of [...ids]) ids.set((link as Link).calls, id);
    const names = namesOf(host, ids);
    const save = (link: Link, sibling: number): LinkState =>
      link.state.save(ids.get(link)!, sibling, names);
    const calls = saveCalls(router, names);
    return {
      index,
      policies: policies.saveStates(),
      schemas: schemaStates(schemas),
      apps: [...host.apps.values()].map(saveApp),
      siblings: [...siblings.all()].map(([runtime, link]) => save(link, runtime)),
      peers: peers.save((link) => save(link, -1)),
      // Links carry copies of what they refer to, so no request is held any more.
      calls: { ...calls, calls: calls.calls.map((call) => ({ ...call, holdsRequest: false })) },
    };
  }

  /** This runtime goes on itself. */
  goOn(): void {
    if (!this.isSuspended) return;
    this.isSuspended = false;
    for (const { port } of this.parts.host.apps.values()) port.engine.resume();
  }

  /** Makes everything that the state says; it waits for `resume`. */
  restore(state: RuntimeState): void {
    const { host, router, schemas, peers, siblings, siblingEnds, peerAddresses } = this.parts;
    this.parts.policies.loadStates(state.policies);
    for (const app of state.apps) this.apps.push(host.adopt(app));
    // Peers know of these services already: nobody is told.
    for (const { port } of this.apps) {
      for (const entry of port.exports) if (entry !== undefined) router.exports.push(entry);
    }
    const links = new Map<number, Link>();
    for (const saved of state.siblings) {
      const end = siblingEnds.find(({ runtime }) => runtime === saved.sibling);
      if (end === undefined) throw broken(`a link to runtime ${saved.sibling}, which is not there`);
      links.set(saved.id, siblings.adopt(end, saved));
    }
    for (const saved of state.peers) {
      const configured = saved.outgoing
        ? peerAddresses.find(({ label }) => label === saved.address)
        : undefined;
      if (configured !== undefined) this.connected.add(configured.label);
      links.set(saved.link.id, peers.adopt(saved, configured));
    }
    restoreCalls(router, schemas, state.calls, this.partiesOf(links));
    const states = [...state.siblings, ...state.peers.map(({ link }) => link)];
    for (const saved of states) {
      const link = links.get(saved.id)!;
      link.state.loadCalls(saved);
      if (link.peer !== null) router.links.push(link);
      for (const { app, tag, offset } of saved.released) {
        host.apps.get(app)?.port.releaseBlock(tag, offset);
      }
      this.links.push(link);
    }
  }

  /** What was restored goes to work. */
  resume(): void {
    const { host, router, peers, peerAddresses } = this.parts;
    for (const app of this.apps.splice(0)) host.resume(app);
    for (const link of this.links.splice(0)) link.resume();
    for (const peer of peerAddresses) if (!this.connected.has(peer.label)) peers.add(peer);
    router.routesChanged();
  }

  private partiesOf(links: ReadonlyMap<number, Link>): RestoredParties {
    const { host } = this.parts;
    const appOf = (id: number): AppPort => {
      const app = host.apps.get(id);
      if (app === undefined) throw broken(`app ${id}, which did not come with it`);
      return app.port;
    };
    const linkOf = (id: number): Link => {
      const link = links.get(id);
      if (link === undefined) throw broken(`link ${id}, which did not come with it`);
      return link;
    };
    return {
      partyOf: ({ kind, id }): Party => (kind === "app" ? appOf(id) : linkOf(id)),
      ownerOf: ({ id }): CopyOwner => linkOf(id).calls,
      bindingOf: ({ kind, id }, binding): Binding | undefined =>
        kind === "app" ? appOf(id).bindings[binding] : linkOf(id).bindings.theirBinding(binding),
    };
  }
}

interface Names extends PartyNames {
  appOf(owner: BlockOwner | Party | null): number;
}

function namesOf(host: AppHost, ids: ReadonlyMap<unknown, number>): Names {
  const linkRef = (link: unknown): PartyRef | null => {
    const id = ids.get(link);
    return id === undefined ? null : { kind: "link", id };
  };
  return {
    appOf: (owner) => (owner instanceof AppPort && host.apps.has(owner.id) ? owner.id : -1),
    refOf: (party) => (party instanceof AppPort ? { kind: "app", id: party.id } : linkRef(party)),
    ownerRef: linkRef,
  };
}

function broken(what: string): KoalaError {
  return new KoalaError("ERR_HANDOVER_STATE", `the state of a runtime names ${what}`);
}
