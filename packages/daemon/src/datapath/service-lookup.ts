/** What can be called from a runtime, and the descriptors of it: for those who learn of services by name. */
import type { Describe, ServiceOffer } from "@koala/protocol";
import type { Reach } from "./binding.ts";
import type { Router } from "./router.ts";

/** Takes a `FileDescriptorSet`; undefined: nobody offers the service, or he does not say what it is. */
export type OnDescribed = (descriptorSet: Uint8Array | undefined) => void;

/**
 * Finds the descriptors of a service: among the apps of this runtime, where the one that came last is the
 * newest, then at the other ends of links, as far as `reach` goes.
 */
export function describeService(
  router: Router,
  question: Describe,
  reach: Reach,
  done: OnDescribed,
): void {
  const { service, target } = question;
  const own = router.exports.findLast(
    ({ name, schema }) => schema.typeName === service && (target === undefined || name === target),
  );
  if (own !== undefined) {
    done(own.schema.descriptorSet);
    return;
  }
  const links = router.links.filter(
    (link) =>
      (reach === "anywhere" || (reach === "siblings" && link.sibling)) &&
      link
        .services()
        .some((offer) => offer.service === service && (target ?? offer.name) === offer.name),
  );
  links.sort((one, other) => Number(other.sibling) - Number(one.sibling));
  const askNext = (): void => {
    const link = links.shift();
    if (link === undefined) done(undefined);
    else {
      link.bindings.descriptions.ask(question, (bytes) => {
        if (bytes === undefined) askNext();
        else done(bytes);
      });
    }
  };
  askNext();
}

/** What an app of this runtime can call: offers of this host and of its peers, not yet merged. */
export function reachableServices(router: Router): ServiceOffer[] {
  const own = router.exports.map(({ name, schema }) => ({
    name,
    service: schema.typeName,
    hashes: [schema.hash],
    instances: 1,
  }));
  return [...own, ...router.links.flatMap((link) => [...link.services()])];
}
