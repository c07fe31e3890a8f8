/** What waits for something, first come first served: calls, or one direction of streaming calls. */

/** `Item` is in one queue at most, which its `queue` names. */
export class ParkQueue<Item extends { queue: ParkQueue<Item> | null }> {
  // A Set keeps the order of insertion and forgets in constant time what ends while it waits.
  private readonly items = new Set<Item>();
  private draining = false;
  private readonly offer: (item: Item) => boolean;

  /** `offer` offers an item's message again and says whether it is not parked any more. */
  constructor(offer: (item: Item) => boolean) {
    this.offer = offer;
  }

  get length(): number {
    return this.items.size;
  }

  /** Those that wait, first come first. */
  waiting(): Item[] {
    return [...this.items];
  }

  /** Appends an item; one that is here already keeps its place. */
  push(item: Item): void {
    if (item.queue !== this) item.queue?.remove(item);
    this.items.add(item);
    item.queue = this;
  }

  /** The item ends, or goes elsewhere. */
  remove(item: Item): void {
    this.items.delete(item);
    item.queue = null;
  }

  /** Offers the parked messages again, until one finds no room. */
  drain(): void {
    if (this.draining) return;
    this.draining = true;
    for (const item of this.items) {
      if (!this.offer(item)) break;
      if (item.queue === this) this.remove(item);
    }
    this.draining = false;
  }

  /** Offers all of them again, whatever comes of the others; those that must wait come back. */
  drainAll(): void {
    const items = [...this.items];
    for (const item of items) this.remove(item);
    for (const item of items) this.offer(item);
  }
}
