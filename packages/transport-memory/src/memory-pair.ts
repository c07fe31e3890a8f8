/**
 * Two connected ends in the memory of one process. Each is described by plain data, so that one end can be
 * posted to another worker thread and opened there.
 */
import { KoalaError } from "@koala/interface";
import { closeFd, doorbellCreate, duplicateFd } from "@koala/native";
import { BYTE_RING_HEADER_BYTES } from "./byte-ring.ts";

/** One end, not yet opened: `openMemoryEnd` makes a connection of it, in any thread, once. */
export interface MemoryEnd {
  /** Two byte rings, one a direction. */
  readonly buffer: SharedArrayBuffer;
  /** Which end: 0 writes the first ring, 1 the second. */
  readonly side: 0 | 1;
  /** Wakes this end. Belongs to the end, as does `peerDoorbell`. */
  readonly doorbell: number;
  /** Wakes the other end. */
  readonly peerDoorbell: number;
  /** For logs. */
  readonly remote: string;
}

/** Both ends. Four descriptors stay open until both are closed. */
export interface MemoryPair {
  readonly a: MemoryEnd;
  readonly b: MemoryEnd;
}

/** What `createMemoryPair` makes. */
export interface MemoryPairOptions {
  /** Bytes in flight in each direction: a power of two from 4 KiB to 1 GiB. Default 256 KiB. */
  bytes?: number;
  /** What `a` calls the other end, for logs. Default "memory:b". */
  remoteOfA?: string;
  remoteOfB?: string;
}

export const memoryPairBytesDefault: number = 256 * 1024;
const bytesMin = 4096;
const bytesMax = 2 ** 30;

/** Makes two connected ends: a bounded queue of bytes in each direction. */
export function createMemoryPair(options: MemoryPairOptions = {}): MemoryPair {
  const { bytes = memoryPairBytesDefault } = options;
  checkMemoryBytes(bytes);
  const buffer = new SharedArrayBuffer(2 * (BYTE_RING_HEADER_BYTES + bytes));
  const [doorbellA, peerOfB, doorbellB, peerOfA] = openDoorbells();
  return {
    a: {
      buffer,
      side: 0,
      doorbell: doorbellA,
      peerDoorbell: peerOfA,
      remote: options.remoteOfA ?? "memory:b",
    },
    b: {
      buffer,
      side: 1,
      doorbell: doorbellB,
      peerDoorbell: peerOfB,
      remote: options.remoteOfB ?? "memory:a",
    },
  };
}

/** Throws `ERR_MEMORY_BYTES` for a size that a ring can't have. */
export function checkMemoryBytes(bytes: number): void {
  if (bytes >= bytesMin && bytes <= bytesMax && (bytes & (bytes - 1)) === 0) return;
  throw new KoalaError(
    "ERR_MEMORY_BYTES",
    `a memory pair can't hold ${bytes} bytes in each direction: expected a power of two ` +
      `from ${bytesMin} to ${bytesMax}`,
  );
}

/**
 * Two doorbells and a second descriptor of each: an end closes what is its own, whenever it likes, and
 * never rings a number that has become somebody else's file.
 */
function openDoorbells(): [number, number, number, number] {
  const opened: number[] = [];
  try {
    for (let i = 0; i < 2; i++) {
      const doorbell = doorbellCreate();
      opened.push(doorbell);
      opened.push(duplicateFd(doorbell));
    }
    return opened as [number, number, number, number];
  } catch (cause) {
    for (const fd of opened) closeFd(fd);
    throw new KoalaError(
      "ERR_MEMORY_DOORBELL",
      "can't make doorbells for a memory pair; look at the limit of open files",
      { cause },
    );
  }
}
