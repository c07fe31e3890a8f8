/** What a daemon says of itself on a new link. */
import { DESCRIBE_FEATURE, type Hello, LINK_MAGIC, LINK_VERSION } from "@koala/protocol";
import type { LinkOptions } from "./link-options.ts";

export function helloOf({ limits, self, offers }: LinkOptions): Hello {
  return {
    magic: LINK_MAGIC,
    version: LINK_VERSION,
    features: [DESCRIBE_FEATURE],
    name: self.name,
    instance: self.instance,
    linkWindow: limits.linkWindow,
    streamWindow: limits.streamWindow,
    frameBytes: limits.frameBytes,
    messageBytes: limits.messageBytes,
    metadataBytes: limits.metadataBytes,
    services: offers(),
  };
}
