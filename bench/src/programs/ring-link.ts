/**
 * A pair of rings in one region, as the ring floors use them: what an app and its daemon share, without
 * anything else.
 *
 *   0 ring to the forwarder, ringBytes ring to the app
 */
import { mapRegion, RingConsumer, RingProducer, ringBytes } from "@koala/shm";
import { ringLinkBytes, ringSlots } from "../systems/ring-region.ts";

/** Words of a slot: all are carried. */
export const slotWords = 16;

/** One end of the pair. */
export interface RingLink {
  /** The region as words; what `reserve` and `next` return are indexes into it. */
  readonly words: Int32Array;
  readonly output: RingProducer;
  readonly input: RingConsumer;
}

/** Opens the end of an app or of a forwarder. */
export function openRingLink(fd: number, end: "app" | "forwarder"): RingLink {
  const memory = mapRegion(fd, ringLinkBytes, true);
  const [output, input] = end === "app" ? [0, ringBytes(ringSlots)] : [ringBytes(ringSlots), 0];
  return {
    words: memory.i32,
    output: new RingProducer(memory, output, ringSlots),
    input: new RingConsumer(memory, input, ringSlots),
  };
}

/** Copies a slot. A loop, since a native call costs more than 16 words. */
export function copySlot(from: Int32Array, source: number, to: Int32Array, target: number): void {
  for (let i = 0; i < slotWords; i++) to[target + i] = from[source + i]!;
}
