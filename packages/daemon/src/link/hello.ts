/** What a daemon says of itself on a new link. */
import {
  DESCRIBE_FEATURE,
  type Hello,
  LINK_MAGIC,
  LINK_VERSION,
  SERVICE_PARTS_FEATURE,
} from "@koala/protocol";
import type { LinkOptions } from "./link-options.ts";
import { offersOfOneFrame } from "./offers.ts";

export function helloOf({ limits, self, offers }: LinkOptions): Hello {
  return {
    magic: LINK_MAGIC,
    version: LINK_VERSION,
    features: [DESCRIBE_FEATURE, SERVICE_PARTS_FEATURE],
    name: self.name,
    instance: self.instance,
    linkWindow: limits.linkWindow,
    streamWindow: limits.streamWindow,
    frameBytes: limits.frameBytes,
    messageBytes: limits.messageBytes,
    metadataBytes: limits.metadataBytes,
    // What does not fit follows when the far side has said what it takes.
    services: offersOfOneFrame(offers()),
  };
}

/** Whether it has no room for all that is offered: SERVICES is to follow. */
export function isShortHello({ offers }: LinkOptions): boolean {
  const all = offers();
  return offersOfOneFrame(all).length < all.length;
}
