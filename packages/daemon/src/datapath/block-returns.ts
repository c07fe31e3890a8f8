/** Receive blocks that an app gives back, and what becomes of regions that are empty then. */
import {
  RELEASES_PER_SLOT,
  SlotFlag,
  W_KIND,
  W_RELEASED_OFFSET,
  W_RELEASED_TAG,
} from "@koala/protocol";
import { type Runtime, Timer } from "@koala/runtime";
import { type ReceiveSpace, regionIdleMs } from "./receive-space.ts";

export class BlockReturns {
  private readonly receive: ReceiveSpace;
  private readonly runtime: Runtime;
  private readonly onViolation: (reason: string) => void;
  private readonly timer: Timer;

  /** `onViolation` is told of names that no block has, which only a broken or hostile app gives. */
  constructor(receive: ReceiveSpace, runtime: Runtime, onViolation: (reason: string) => void) {
    this.receive = receive;
    this.runtime = runtime;
    this.onViolation = onViolation;
    this.timer = new Timer(() => this.shrink());
  }

  /** A RELEASE slot. */
  takeSlot(slot: Int32Array): void {
    const count = slot[W_KIND]! >>> 16;
    if (count > RELEASES_PER_SLOT) {
      this.onViolation(`a release of ${count} blocks`);
      return;
    }
    for (let i = 0; i < count; i++) this.take(slot[1 + 2 * i]!, slot[2 + 2 * i]!);
  }

  /** The block that a slot of another kind gives back beside, if it does. */
  takeBeside(slot: Int32Array): void {
    if ((slot[W_KIND]! & (SlotFlag.RELEASES << 8)) === 0) return;
    this.take(slot[W_RELEASED_TAG]!, slot[W_RELEASED_OFFSET]!);
  }

  /** A block that the app gives back without naming it; false when it is back already. */
  takeNamed(tag: number, offset: number): boolean {
    if (!this.receive.free(tag, offset)) return false;
    if (!this.receive.isFirst(tag)) this.arm();
    return true;
  }

  /** Regions that are empty go when they have been so for a while. */
  arm(): void {
    if (this.timer.bucket >= 0 || !this.receive.heap.hasEmptyRegion()) return;
    this.runtime.timers.set(this.timer, this.runtime.nowMs + regionIdleMs + 100);
  }

  stop(): void {
    this.runtime.timers.clear(this.timer);
  }

  private take(tag: number, offset: number): void {
    if (this.takeNamed(tag, offset)) return;
    this.onViolation(`a release of block ${tag >>> 16}:${offset}, which is not in use`);
  }

  private shrink(): void {
    if (this.receive.shrink()) this.arm();
  }
}
