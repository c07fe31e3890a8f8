/** How large the next message of a method will be: what decides the block that is tried first. */
import { smallBytesMax } from "@koala/shm";

const unitBytes = 64;
/** After so many messages the maximum is that of this many last ones, so that one giant is forgotten. */
const windowMessages = 1024;

export class SizeGuess {
  /** Bytes to try first: the running maximum, but no more than a slab serves. */
  bytes: number = unitBytes;
  private recent = 0;
  private seen = 0;

  note(bytes: number): void {
    if (bytes > this.recent) {
      this.recent = bytes;
      if (bytes > this.bytes) this.bytes = rounded(bytes);
    }
    if (++this.seen === windowMessages) {
      this.bytes = rounded(this.recent);
      this.recent = 0;
      this.seen = 0;
    }
  }
}

function rounded(bytes: number): number {
  return Math.min((bytes + unitBytes - 1) & -unitBytes, smallBytesMax);
}
