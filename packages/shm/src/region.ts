/**
 * Regions: pieces of memory that the daemon makes and shares with an app, as sealed memfds.
 *
 * The order of making one is what protects it: size, the daemon's own writable mapping, then the seals.
 * From then on nobody can change the size, so no access behind a mapping's end ever raises SIGBUS; and
 * with FUTURE_WRITE, the one writable mapping that exists is the last there will ever be. SEAL_SEAL
 * comes with them, otherwise an app could add a seal that the daemon does not expect.
 *
 * Control plane only: everything here throws.
 */
import { KoalaError, messageOf } from "@koala/interface";
import {
  closeFd,
  regionBytes,
  regionCreate,
  regionMap,
  regionRelease,
  regionSeal,
  regionSeals,
  regionUnmap,
  SEAL_FUTURE_WRITE,
  SEAL_GROW,
  SEAL_SEAL,
  SEAL_SHRINK,
  SEAL_WRITE,
} from "@koala/native";
import { type Memory, openMemory } from "./memory.ts";

/** The size of a region is a multiple of this. */
export const REGION_UNIT_BYTES = 4096;
/** Regions stay below 2 GiB, so that every offset is a positive 32-bit integer. */
export const REGION_BYTES_MAX: number = 2 ** 31 - REGION_UNIT_BYTES;

const fixedSize = SEAL_SHRINK | SEAL_GROW;
const readOnly = SEAL_FUTURE_WRITE | SEAL_WRITE;

/** What `createRegion` makes. */
export interface RegionOptions {
  /** Shows up in /proc/PID/maps as `/memfd:NAME`. */
  name: string;
  /** A multiple of 4096, below 2 GiB. */
  bytes: number;
  /** False: whoever gets the descriptor can only map it for reading. */
  appMayWrite: boolean;
}

/** A region in the process that made it. */
export interface Region {
  /** To pass on; the caller closes it, the mapping stays. */
  readonly fd: number;
  /** Mapped for reading and writing, whatever the app may do. */
  readonly memory: Memory;
}

/**
 * Makes a region, maps it writable and seals it. Nothing stays open when it fails: `ERR_SHM_SIZE` for a
 * size that no region can have, `ERR_SHM_CREATE` when the kernel refuses (out of descriptors or memory).
 */
export function createRegion({ name, bytes, appMayWrite }: RegionOptions): Region {
  checkSize(`the region "${name}"`, bytes);
  let fd = -1;
  let buffer: ArrayBuffer | undefined;
  try {
    fd = regionCreate(name, bytes);
    buffer = regionMap(fd, bytes, true);
    regionSeal(fd, fixedSize | (appMayWrite ? 0 : SEAL_FUTURE_WRITE) | SEAL_SEAL);
    return { fd, memory: openMemory(buffer) };
  } catch (cause) {
    if (buffer !== undefined) regionUnmap(buffer);
    if (fd !== -1) closeFd(fd);
    throw new KoalaError(
      "ERR_SHM_CREATE",
      `can't make the shared region "${name}" of ${bytes} bytes: ${messageOf(cause)}; ` +
        "look at the limits of open files and of memory of this process",
      { cause },
    );
  }
}

/**
 * Maps a region that came from another process. Trusts the descriptor no further than the kernel
 * vouches for it: its size must be the one announced (`ERR_SHM_SIZE`) and sealed for good, and for
 * `writable` nothing may forbid it (`ERR_SHM_SEALS`). The descriptor stays the caller's and is not
 * needed afterwards.
 */
export function mapRegion(fd: number, bytes: number, writable: boolean): Memory {
  const what = `the region in descriptor ${fd}`;
  checkSize(what, bytes);
  const found = ask(what, () => regionBytes(fd));
  if (found !== bytes) {
    throw new KoalaError(
      "ERR_SHM_SIZE",
      `${what} has ${found} bytes, ${bytes} were announced; the other process is broken or hostile`,
    );
  }
  const seals = ask(what, () => regionSeals(fd));
  if ((seals & fixedSize) !== fixedSize) {
    throw new KoalaError(
      "ERR_SHM_SEALS",
      `${what} can still change its size (seals ${seals}, expected at least ${fixedSize}), ` +
        "so it is not safe to map; regions come from the daemon, sealed",
    );
  }
  if (writable && (seals & readOnly) !== 0) {
    throw new KoalaError(
      "ERR_SHM_SEALS",
      `${what} is sealed against writing (seals ${seals}); map it read-only`,
    );
  }
  return openMemory(ask(what, () => regionMap(fd, bytes, writable)));
}

/**
 * Unmaps. All views of the memory have length 0 from then on: reads give `undefined`, writes go nowhere.
 * Doing it twice does nothing.
 */
export function closeRegion(memory: Memory): void {
  if (memory.buffer.byteLength === 0) return;
  regionUnmap(memory.buffer);
}

/** Leaves unmapping to the collector, for memory whose views are still read: until none of them is in use. */
export function releaseRegion(memory: Memory): void {
  if (memory.buffer.byteLength === 0) return;
  regionRelease(memory.buffer);
}

function checkSize(what: string, bytes: number): void {
  if (bytes > 0 && bytes <= REGION_BYTES_MAX && bytes % REGION_UNIT_BYTES === 0) return;
  throw new KoalaError(
    "ERR_SHM_SIZE",
    `${what} can't have ${bytes} bytes: expected a multiple of ${REGION_UNIT_BYTES} ` +
      `up to ${REGION_BYTES_MAX}`,
  );
}

function ask<T>(what: string, question: () => T): T {
  try {
    return question();
  } catch (cause) {
    throw new KoalaError(
      "ERR_SHM_MAP",
      `can't map ${what}: ${messageOf(cause)}; expected a memfd that the daemon made`,
      { cause },
    );
  }
}
