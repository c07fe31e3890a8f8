/**
 * The claim of a view on its receive block: it ends with `release(message)`, with the connection, or, as
 * a safety net, when the message has been collected.
 */

/** Who gets the block back. */
export interface BlockOwner {
  readonly ended: boolean;
  viewCount: number;
  giveBack(tag: number, offset: number, bytes: number): void;
  /** A view was collected that nobody had released; `what` names its method and direction. */
  onForgotten(what: string): void;
}

class ViewLease {
  private readonly owner: BlockOwner;
  private readonly tag: number;
  private readonly offset: number;
  private readonly bytes: number;
  private readonly what: string;
  private ended = false;

  constructor(owner: BlockOwner, what: string, tag: number, offset: number, bytes: number) {
    this.owner = owner;
    this.what = what;
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

  /** The view has been collected. */
  forget(): void {
    if (!this.owner.ended) this.owner.onForgotten(this.what);
    this.end();
  }
}

const leases = new WeakMap<object, ViewLease>();
const collected = new FinalizationRegistry<ViewLease>((lease) => lease.forget());

/** Ties a block to the view of the message in it; `what` is for the report of a view that is forgotten. */
export function leaseView(
  message: object,
  owner: BlockOwner,
  what: string,
  tag: number,
  offset: number,
  bytes: number,
): void {
  const lease = new ViewLease(owner, what, tag, offset, bytes);
  owner.viewCount++;
  leases.set(message, lease);
  collected.register(message, lease, lease);
}

/**
 * Lets `using` release a view. Views of a type share the function, which is on their prototype and does not show up
 * among their fields.
 */
export function makeDisposable(view: object): void {
  if (Symbol.dispose in view || ArrayBuffer.isView(view)) return;
  const prototype: object = Object.getPrototypeOf(view);
  const target = prototype === Object.prototype ? view : prototype;
  Object.defineProperty(target, Symbol.dispose, { value: dispose, configurable: true });
}

function dispose(this: object): void {
  release(this);
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
