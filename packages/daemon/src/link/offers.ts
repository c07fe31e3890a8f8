/** What a runtime, and a daemon as a whole, offers to the far side of its links. */
import type { ServiceOffer } from "@koala/protocol";
import type { Export } from "../datapath/binding.ts";

/** A peer takes no more; the hashes are there to be looked at, routes do not depend on them. */
const hashesMax = 64;

/** One entry for each mesh name and service that apps of one runtime serve. */
export function offersOf(exports: readonly Export[]): ServiceOffer[] {
  return mergeOffers(
    exports.map(({ name, schema }) => ({
      name,
      service: schema.typeName,
      hashes: [schema.hash],
      instances: 1,
    })),
  );
}

/** One entry for each mesh name and service, with the instances of all. */
export function mergeOffers(offers: readonly ServiceOffer[]): ServiceOffer[] {
  const merged = new Map<string, ServiceOffer>();
  for (const { name, service, hashes, instances } of offers) {
    const key = JSON.stringify([name, service]);
    const known = merged.get(key);
    const all = new Set([...(known?.hashes ?? []), ...hashes]);
    merged.set(key, {
      name,
      service,
      hashes: [...all].slice(0, hashesMax),
      instances: instances + (known?.instances ?? 0),
    });
  }
  return [...merged.values()];
}
