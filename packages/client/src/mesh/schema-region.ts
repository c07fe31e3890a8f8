/** A schema on its way to the daemon: in a memfd, because it may not fit into a packet. */
import type { ServiceSchema } from "@koala/schema";
import { sealedBytes } from "@koala/shm";

/** A descriptor of a sealed memfd with the schema's `FileDescriptorSet`; the caller's to close. */
export function schemaRegion(schema: ServiceSchema): number {
  return sealedBytes("koala-schema", schema.descriptorSet);
}
