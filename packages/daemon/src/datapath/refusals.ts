/** Why nobody serves a binding: what is wrong, what was tried, and whether waiting makes sense. */
import { KoalaError, Status } from "@koala/interface";
import type { Binding, Export, Refusal, RouteLink } from "./binding.ts";
import type { Forwards } from "./forwards.ts";
import type { SchemaStore } from "./schema-store.ts";

/** What the router asks about links that are not there (yet). */
export interface LinkSituation {
  /** Peers that are being connected for the first time since they were configured. */
  firstAttempts(): number;
  /** A line a peer that is not connected: address, since when, why. */
  problems(): string[];
}

/** What a router knows of who serves what. */
interface Served {
  readonly exports: readonly Export[];
  readonly links: readonly RouteLink[];
  readonly forwards: Forwards;
  readonly situation: LinkSituation;
}

/** Why nobody serves the binding now. */
export function refusalOf(router: Served, schemas: SchemaStore, binding: Binding): Refusal {
  const { target, schema } = binding;
  const service = schema.typeName;
  const named = router.exports.filter((entry) => entry.name === target);
  const links = linksWithin(router, binding);
  const offers = links.map((link) => link.offers(target, service));
  let refused: Refusal | undefined;
  for (const link of links) {
    if (link.offers(target, service) !== "service") continue;
    const state = link.bindingState(binding);
    if (state.state === "pending")
      return { status: Status.UNAVAILABLE, message: "", pending: true };
    if (state.state !== "refused") continue;
    // A sibling names the app itself.
    const message = link.sibling ? state.message : `${link.label}: ${state.message}`;
    refused ??= { status: state.status, message, pending: false };
  }
  if (refused !== undefined) return refused;
  const conflict = conflictOf(router, schemas, binding);
  if (conflict !== undefined) {
    return { status: Status.FAILED_PRECONDITION, message: conflict.message, pending: false };
  }
  if (binding.reach === "anywhere" && router.situation.firstAttempts() > 0) {
    return { status: Status.UNAVAILABLE, message: "", pending: true };
  }
  if (named.length > 0 || offers.includes("name")) {
    const message = `"${target}" is served, but not with the service ${service}`;
    return { status: Status.UNIMPLEMENTED, message, pending: false };
  }
  return { status: Status.UNAVAILABLE, message: unavailable(router, target), pending: false };
}

/** The conflict, if everybody here who serves the binding's service has a schema that conflicts. */
export function conflictOf(
  router: Served,
  schemas: SchemaStore,
  binding: Binding,
): KoalaError | undefined {
  let found: KoalaError | undefined;
  for (const entry of router.exports) {
    if (entry.name !== binding.target) continue;
    if (entry.schema.typeName !== binding.schema.typeName) continue;
    const comparison = schemas.compare(binding.schema, entry.schema);
    if (!(comparison instanceof KoalaError)) return undefined;
    found ??= new KoalaError(comparison.code, `${entry.party.label}: ${comparison.message}`);
  }
  if (found === undefined) return undefined;
  for (const link of linksWithin(router, binding)) {
    if (!link.sibling || link.offers(binding.target, binding.schema.typeName) !== "service") {
      continue;
    }
    // An app of another runtime may have a schema that fits.
    if (link.bindingState(binding).state !== "refused") return undefined;
  }
  return found;
}

function unavailable(router: Served, target: string): string {
  const siblings = router.links.filter((link) => link.sibling);
  const peers = router.links.filter((link) => !link.sibling);
  const here = [
    ...new Set([
      ...router.exports.map((entry) => entry.name),
      ...siblings.flatMap((link) => link.names()),
    ]),
  ];
  const tried = [`this host serves ${here.length === 0 ? "nothing" : here.join(", ")}`];
  for (const link of peers) {
    const names = link.names();
    tried.push(`${link.label} serves ${names.length === 0 ? "nothing" : names.join(", ")}`);
  }
  tried.push(...router.situation.problems());
  if (peers.length === 0 && router.situation.problems().length === 0) {
    tried.push("no peers are configured ([[peer]] in koala.toml)");
  }
  return `nobody serves "${target}": ${tried.join("; ")}`;
}

function linksWithin(router: Served, binding: Binding): RouteLink[] {
  const { reach } = binding;
  const forward = reach === "nowhere" ? router.forwards.linkFor(binding) : undefined;
  if (forward !== undefined) return [forward];
  return router.links.filter((link) => (link.sibling ? reach !== "nowhere" : reach === "anywhere"));
}
