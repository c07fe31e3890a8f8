/**
 * What other parts of the daemon hold of an app whose send blocks they still refer to. It stays the same
 * while the engine behind it is replaced, and counts references for all of its engines together.
 */
import type { BlockOwner } from "./call.ts";

/** The engine that tells the app of its blocks. */
export interface BlockReturner {
  releaseBlock(tag: number, offset: number): void;
}

export class AppAnchor implements BlockOwner {
  /** Of the app. */
  readonly id: number;
  private pins = 0;
  private engine: BlockReturner | null = null;
  private readonly waiting: (() => void)[] = [];

  constructor(id: number) {
    this.id = id;
  }

  /** From now on this engine is behind it. */
  attach(engine: BlockReturner): void {
    this.engine = engine;
  }

  /** Somebody refers to memory of the app. */
  get isPinned(): boolean {
    return this.pins > 0;
  }

  pin(): void {
    this.pins++;
  }

  unpin(): void {
    this.pins--;
    if (this.pins > 0) return;
    for (const action of this.waiting.splice(0)) action();
  }

  releaseBlock(tag: number, offset: number): void {
    this.engine?.releaseBlock(tag, offset);
  }

  /** Calls back once nobody refers to the app's memory, perhaps at once. */
  whenUnpinned(action: () => void): void {
    if (this.pins === 0) action();
    else this.waiting.push(action);
  }
}
