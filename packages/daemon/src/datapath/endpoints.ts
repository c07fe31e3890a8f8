/** Places that can serve a call, as routing policies see them. */
import type { Endpoint } from "@koala/policy";
import type { Candidate } from "./binding.ts";
import type { Party } from "./call.ts";

/** One party, whatever bindings it serves. */
export class PartyEndpoint implements Endpoint {
  readonly party: Party;
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

  of(party: Party): PartyEndpoint {
    let endpoint = this.known.get(party);
    if (endpoint === undefined) {
      endpoint = new PartyEndpoint(party);
      this.known.set(party, endpoint);
    }
    return endpoint;
  }

  /** Each candidate once that has the method, however many turns it has; `instances` says how many those are. */
  among(candidates: readonly Candidate[], methodIndex: number): PartyEndpoint[] {
    const turns = new Map<Party, number>();
    for (const { party, methods } of candidates) {
      if (methods[methodIndex] !== undefined) turns.set(party, (turns.get(party) ?? 0) + 1);
    }
    return Array.from(turns, ([party, instances]) => {
      const endpoint = this.of(party);
      endpoint.instances = instances;
      return endpoint;
    });
  }
}
