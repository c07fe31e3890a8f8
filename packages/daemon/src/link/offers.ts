/** What a runtime, and a daemon as a whole, offers to the far side of its links. */
import { coldFrameBytesMax, offersMax, type ServiceOffer } from "@koala/protocol";
import type { Export } from "../datapath/binding.ts";

/** A peer takes no more; the hashes are there to be looked at, routes do not depend on them. */
const hashesMax = 64;
/** Bytes of JSON in one frame; a cold frame that is larger would close the link, and apps choose their names. */
const frameOffersBytesMax: number = coldFrameBytesMax - 64 * 1024;
/** The same for all frames of a list. */
const offersBytesMax: number = 4 * 1024 * 1024;

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
  return thatFit([...merged.values()], offersBytesMax);
}

/** For HELLO, and for peers that take no list in parts: as many as one frame can carry. */
export function offersOfOneFrame(offers: ServiceOffer[]): ServiceOffer[] {
  return thatFit([...offers], frameOffersBytesMax);
}

/** The offers in frames that are small enough; one frame at least. */
export function offersInParts(offers: readonly ServiceOffer[]): ServiceOffer[][] {
  let part: ServiceOffer[] = [];
  const parts = [part];
  let bytes = 0;
  for (const offer of offers) {
    const length = bytesOf(offer) + 1;
    if (bytes + length > frameOffersBytesMax) {
      part = [];
      parts.push(part);
      bytes = 0;
    }
    part.push(offer);
    bytes += length;
  }
  return parts;
}

function bytesOf(offer: ServiceOffer): number {
  return Buffer.byteLength(JSON.stringify(offer));
}

/** As many as so many bytes can carry, the shortest first when they can't carry all. */
function thatFit(offers: ServiceOffer[], bytesMax: number): ServiceOffer[] {
  const lengths = new Map(offers.map((offer) => [offer, bytesOf(offer)]));
  let bytes = 0;
  for (const length of lengths.values()) bytes += length + 1;
  if (bytes <= bytesMax && offers.length <= offersMax) return offers;
  offers.sort((one, other) => lengths.get(one)! - lengths.get(other)!);
  bytes = 0;
  return offers.slice(0, offersMax).filter((offer) => {
    bytes += lengths.get(offer)! + 1;
    return bytes <= bytesMax;
  });
}
