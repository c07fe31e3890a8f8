/** Places that can serve a call, as routing policies see them. */
import type { Endpoint } from "@koala/policy";
import type { Candidate } from "./binding.ts";
import type { Party } from "./call.ts";

/** One party, whatever bindings it serves. */
export class PartyEndpoint implements Endpoint {
  /** Another object when the party's code was replaced. */
  party: Party;
  instances = 1;
  inFlight = 0;

  constructor(party: Party) {
    this.party = party;
  }

  get isLocal(): boolean {
    return this.party.isLocal;
  }

  get label(): string {
    return this.party.label;
  }
}

export class Endpoints {
  private readonly known = new WeakMap<Party, PartyEndpoint>();

  /** A party is represented by another object from now on; what policies know of it stays. */
  replace(before: Party, after: Party): void {
    const endpoint = this.known.get(before);
    if (endpoint === undefined) return;
    endpoint.party = after;
    this.known.set(after, endpoint);
  }

  of(party: Party): PartyEndpoint {
    let endpoint = this.known.get(party);
    if (endpoint === undefined) {
      endpoint = new PartyEndpoint(party);
      this.known.set(party, endpoint);
    }
    return endpoint;
  }

  /** Each party once that has the method, however many turns it has. */
  among(candidates: readonly Candidate[], methodIndex: number): PartyEndpoint[] {
    const found = new Set<PartyEndpoint>();
    for (const { party, instances, methods } of candidates) {
      if (methods[methodIndex] === undefined) continue;
      const endpoint = this.of(party);
      endpoint.instances = instances;
      found.add(endpoint);
    }
    return [...found];
  }
}
