/** The memory of a ring floor: one region for each app and its forwarder. */
import { createRegion, REGION_UNIT_BYTES, type Region, ringBytes } from "@koala/shm";

/** More than are ever in flight, so that no ring is ever full. */
export const ringSlots = 1024;

/** Two rings, rounded up to what a region can be. */
export const ringLinkBytes: number =
  Math.ceil((2 * ringBytes(ringSlots)) / REGION_UNIT_BYTES) * REGION_UNIT_BYTES;

/** Makes the region. */
export function createRingRegion(): Region {
  return createRegion({ name: "floor-ring", bytes: ringLinkBytes, appMayWrite: true });
}
