/** Bytes on their way to another process: in a memfd, because they may not fit into a packet. */
import {
  closeFd,
  regionCreate,
  regionMap,
  regionSeal,
  regionUnmap,
  SEAL_GROW,
  SEAL_SHRINK,
  SEAL_WRITE,
} from "@koala/native";

/** A descriptor of a sealed memfd that holds a copy of the bytes, at least one; the caller's to close. */
export function sealedBytes(name: string, bytes: Uint8Array): number {
  const fd = regionCreate(name, bytes.length);
  try {
    const buffer = regionMap(fd, bytes.length, true);
    new Uint8Array(buffer).set(bytes);
    regionUnmap(buffer);
    regionSeal(fd, SEAL_SHRINK | SEAL_GROW | SEAL_WRITE);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}
