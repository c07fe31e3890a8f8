/**
 * Private memory of large messages that have been passed on, for the next ones. Fresh memory costs more than
 * the bytes: it is zeroed, mapped page by page while it grows, and unmapped again (`bench goodput`,
 * koala-tcp-null). What nobody has wanted for a second is let go.
 */
import { type Runtime, Timer } from "@koala/runtime";
import type { Memory } from "@koala/shm";

const keptMs = 1000;

export class SpareMemory {
  /** Bytes that are kept. */
  bytes = 0;
  private readonly runtime: Runtime;
  private readonly bytesMax: number;
  private items: Memory[] = [];
  private isUsed = false;
  private readonly timer: Timer = new Timer(() => this.letGo());

  /** Keeps no more than `bytesMax`. */
  constructor(runtime: Runtime, bytesMax: number) {
    this.runtime = runtime;
    this.bytesMax = bytesMax;
  }

  /** So many bytes or more, with what the last message has left in them; undefined when there are none. */
  take(bytes: number): Memory | undefined {
    const at = this.items.findIndex(({ buffer }) => buffer.byteLength >= bytes);
    if (at < 0) return undefined;
    const [memory] = this.items.splice(at, 1);
    this.bytes -= memory!.buffer.byteLength;
    this.isUsed = true;
    return memory;
  }

  /** Nobody refers to the memory any more. */
  give(memory: Memory): void {
    const { byteLength } = memory.buffer;
    if (this.bytes + byteLength > this.bytesMax) return;
    this.items.push(memory);
    this.bytes += byteLength;
    if (this.timer.bucket < 0) this.arm();
  }

  close(): void {
    this.runtime.timers.clear(this.timer);
    this.items = [];
    this.bytes = 0;
  }

  private letGo(): void {
    if (!this.isUsed) {
      this.close();
      return;
    }
    this.isUsed = false;
    this.arm();
  }

  private arm(): void {
    this.runtime.timers.set(this.timer, this.runtime.nowMs + keptMs);
  }
}
