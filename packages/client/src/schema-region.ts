/** A schema on its way to the daemon: in a memfd, because it may not fit into a packet. */
import {
  regionCreate,
  regionMap,
  regionSeal,
  regionUnmap,
  SEAL_GROW,
  SEAL_SHRINK,
  SEAL_WRITE,
} from "@koala/native";
import type { ServiceSchema } from "@koala/schema";

/** A descriptor of a sealed memfd with the schema's `FileDescriptorSet`; the caller's to close. */
export function schemaRegion(schema: ServiceSchema): number {
  const bytes = schema.descriptorSet;
  const fd = regionCreate("koala-schema", bytes.length);
  const buffer = regionMap(fd, bytes.length, true);
  new Uint8Array(buffer).set(bytes);
  regionUnmap(buffer);
  regionSeal(fd, SEAL_SHRINK | SEAL_GROW | SEAL_WRITE);
  return fd;
}
