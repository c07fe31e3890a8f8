/**
 * Services whose app has moved to another runtime. Runtimes that have not heard of it yet still send their
 * calls here; these go on to where the app is now, though calls of other runtimes go no further else.
 *
 * No call goes in circles: what comes to a runtime has no forward there any more (`drop`), so of all
 * forwards of a service the newest leads to where there is none.
 */
import {
  type Binding,
  type Candidate,
  type Export,
  type RouteLink,
  sameMethods,
} from "./binding.ts";

/** Turns of one sibling runtime, however many servers it has. */
const turnsMax = 1024;

export class Forwards {
  private readonly links = new Map<string, RouteLink>();

  /** The service has gone over this link. */
  add({ name, schema }: Export, link: RouteLink): void {
    this.links.set(`${name}#${schema.typeName}`, link);
  }

  /** The service is here. */
  drop({ name, schema }: Export): void {
    this.links.delete(`${name}#${schema.typeName}`);
  }

  replaceLink(before: RouteLink, after: RouteLink): void {
    for (const [key, known] of this.links) if (known === before) this.links.set(key, after);
  }

  dropLink(link: RouteLink): void {
    for (const [key, known] of this.links) if (known === link) this.links.delete(key);
  }

  /** Where calls of a binding go that nobody here serves. */
  linkFor({ target, schema }: Binding): RouteLink | undefined {
    return this.links.size === 0 ? undefined : this.links.get(`${target}#${schema.typeName}`);
  }
}

/** Adds a link that serves the binding to its candidates; true if it has yet to say whether it does. */
export function addLinkCandidate(
  link: RouteLink,
  binding: Binding,
  candidates: Candidate[],
): boolean {
  const { target, schema } = binding;
  if (link.offers(target, schema.typeName) !== "service") return false;
  const state = link.bindingState(binding);
  if (state.state === "pending") return true;
  if (state.state !== "bound") return false;
  const instances = link.instances(target, schema.typeName);
  const methods = sameMethods(schema.methods);
  const candidate: Candidate = { party: link, target: state.id, instances, methods };
  const turns = link.sibling ? Math.min(turnsMax, instances) : 1;
  for (let turn = 0; turn < turns; turn++) candidates.push(candidate);
  return false;
}
