/**
 * The descriptors of one runtime's thread: what it has opened itself, which the addon marks, and what the
 * control plane has handed to it, which is marked here. When the thread fails, what is marked is all that
 * it leaves behind, and is closed; its mappings go with the thread.
 */
import { closeFd } from "@koala/native";

/** Descriptors with larger numbers are not noted: Linux gives a process a million at most, by default. */
const descriptorsMax = 2 ** 20;

export class DescriptorLedger {
  /** For `descriptorLedger` of the thread. Pages that are never marked cost no memory. */
  readonly bits: Int32Array;

  constructor(bits: Int32Array = new Int32Array(new SharedArrayBuffer(descriptorsMax / 8))) {
    this.bits = bits;
  }

  /** The descriptor belongs to the thread from now on. */
  add(fd: number): void {
    if (this.has(fd)) Atomics.or(this.bits, fd >> 5, 1 << (fd & 31));
  }

  /** It does not any more: somebody else has taken it over. */
  remove(fd: number): void {
    if (this.has(fd)) Atomics.and(this.bits, fd >> 5, ~(1 << (fd & 31)));
  }

  /** What the thread has open. */
  list(): number[] {
    const found: number[] = [];
    for (let word = 0; word < this.bits.length; word++) {
      const bits = Atomics.load(this.bits, word);
      if (bits === 0) continue;
      for (let bit = 0; bit < 32; bit++) if ((bits & (1 << bit)) !== 0) found.push(32 * word + bit);
    }
    return found;
  }

  /** Closes all of it; the thread must have ended. Says how many there were. */
  closeAll(): number {
    const fds = this.list();
    for (const fd of fds) {
      this.remove(fd);
      try {
        closeFd(fd);
      } catch {
        // A number that is not open is nothing that could leak.
      }
    }
    return fds.length;
  }

  private has(fd: number): boolean {
    return fd >= 0 && fd >> 5 < this.bits.length;
  }
}
