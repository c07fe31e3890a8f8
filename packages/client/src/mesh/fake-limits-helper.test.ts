/** What the fake daemon of these tests grants to apps. */
import type { AppLimits } from "@koala/protocol";

export const defaultLimits: AppLimits = {
  messageBytesMax: 8 << 20,
  metadataBytesMax: 16 << 10,
  callsMax: 256,
  ringSlots: 512,
  sendHeapBytesMax: 16 << 20,
  streamBufferBytes: 256 << 10,
};
/** Of each region that it makes. */
export const regionBytes: number = 1 << 20;
