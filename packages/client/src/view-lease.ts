/**
 * The claim of a view on its receive block: it ends with `release(message)`, with the connection, or, as
 * a safety net, when the message has been collected.
 */

/** Who gets the block back. */
export interface BlockOwner {
  readonly ended: boolean;
  viewCount: number;
  giveBack(tag: number, offset: number, bytes: number): void;
}

class ViewLease {
  private readonly owner: BlockOwner;
  private readonly tag: number;
  private readonly offset: number;
  private readonly bytes: number;
  private ended = false;

  constructor(owner: BlockOwner, tag: number, offset: number, bytes: number) {
    this.owner = owner;
    this.tag = tag;
    this.offset = offset;
    this.bytes = bytes;
  }

  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.owner.viewCount--;
    if (!this.owner.ended) this.owner.giveBack(this.tag, this.offset, this.bytes);
  }
}

const leases = new WeakMap<object, ViewLease>();
const collected = new FinalizationRegistry<ViewLease>((lease) => lease.end());

/** Ties a block to the view of the message in it. */
export function leaseView(
  message: object,
  owner: BlockOwner,
  tag: number,
  offset: number,
  bytes: number,
): void {
  const lease = new ViewLease(owner, tag, offset, bytes);
  owner.viewCount++;
  leases.set(message, lease);
  collected.register(message, lease, lease);
}

/**
 * Gives the memory of a view back. The view, and everything read from it that is not a number or a
 * string, must not be used afterwards. Does nothing for other messages and the second time.
 *
 * Without it the memory comes back when the message itself has been collected, even if nested messages
 * or bytes of it are still in use: keep the message as long as those.
 */
export function release(message: object): void {
  const lease = leases.get(message);
  if (lease === undefined) return;
  leases.delete(message);
  collected.unregister(lease);
  lease.end();
}
