/**
 * The links between the runtimes of one daemon: the link engine over queues in shared memory, one for
 * every two runtimes, made by the control plane. They are up before a runtime takes its first app, and
 * stay up until one of the two is gone; to operators they are no links.
 */
import { POLL_EDGE, POLL_IN } from "@koala/native";
import type { ServiceOffer } from "@koala/protocol";
import type { Runtime } from "@koala/runtime";
import { type MemoryEnd, openMemoryEnd } from "@koala/transport-memory";
import type { AreaLog } from "../log/index.ts";
import type { EpollWaiter } from "../worker/epoll-waiter.ts";
import type { Link } from "./link.ts";
import type { LinkOptions, SharedLinkOptions } from "./link-options.ts";
import type { LinkState } from "./link-state.ts";

/** This runtime's end of its link to another one. */
export interface SiblingEnd {
  /** The other runtime's index. */
  readonly runtime: number;
  readonly end: MemoryEnd;
}

export interface SiblingsOptions {
  runtime: Runtime;
  waiter: EpollWaiter;
  log: AreaLog;
  /** What all links share. */
  link: SharedLinkOptions;
  /** What apps of this runtime serve. */
  offers: () => ServiceOffer[];
  /** A sibling is up, or offers other services than before. */
  onServices: () => void;
  /** Makes links; by the code that is in use now. */
  createLink: (options: LinkOptions) => Link;
}

export class Siblings {
  private readonly options: SiblingsOptions;
  private readonly up = new Set<Link>();
  /** By the other runtime's index. */
  private readonly links = new Map<number, Link>();
  private stopped = false;

  constructor(options: SiblingsOptions) {
    this.options = options;
  }

  /** Whether all that there are can be talked to. */
  get areUp(): boolean {
    return this.up.size === this.links.size;
  }

  get count(): number {
    return this.links.size;
  }

  /** Opens the link to another runtime, which opens its own end. */
  add(sibling: SiblingEnd): void {
    this.options.runtime.activate(this.open(sibling));
  }

  /** The same for a link that goes on where another one stopped; it waits for `Link.resume`. */
  adopt(sibling: SiblingEnd, saved: LinkState): Link {
    const link = this.open(sibling, saved);
    if (link.peer !== null) this.up.add(link);
    return link;
  }

  /** All of them, by the other runtime's index. */
  all(): ReadonlyMap<number, Link> {
    return this.links;
  }

  private open({ runtime: index, end }: SiblingEnd, saved?: LinkState): Link {
    const { waiter, offers, onServices, link: shared, createLink } = this.options;
    const connection = openMemoryEnd(end);
    const link = createLink({
      ...shared,
      connection,
      offers,
      reach: "nowhere",
      ...(saved === undefined ? {} : { saved }),
      siblingLabel: `runtime ${index}`,
      onServices,
      onUp: (up) => {
        this.up.add(up);
        onServices();
      },
      onDown: (down, reason) => {
        waiter.remove(connection.fd);
        connection.close();
        this.up.delete(down);
        if (this.links.get(index) === down) this.links.delete(index);
        // All are told to stop at the same time, and one is always first: it has said so.
        if (!this.stopped && !down.draining) {
          this.options.log.error("sibling lost", { sibling: down.label, reason });
        }
        onServices();
      },
    });
    // Nobody clears the doorbell at once, so only its changes count; it may have been rung already.
    waiter.add(connection.fd, POLL_IN | POLL_EDGE, () => {
      this.links.get(index)?.onReady(true, false);
    });
    this.links.set(index, link);
    return link;
  }

  /** Another object goes on with the queue of a link; false when there is no such link. */
  replace(before: Link, after: Link): boolean {
    for (const [index, link] of this.links) {
      if (link !== before) continue;
      this.links.set(index, after);
      if (this.up.delete(before)) this.up.add(after);
      return true;
    }
    return false;
  }

  /** The other runtime is gone: calls that it served end, and what it had asked for is dropped. */
  remove(index: number, reason: string): void {
    const link = this.links.get(index);
    if (link === undefined) return;
    // What is known is no loss to report.
    link.draining = true;
    link.close(reason);
  }

  /** Services of this runtime's apps have changed. What is said here is there when this returns. */
  announce(): void {
    for (const link of this.links.values()) {
      link.announce();
      link.flush();
    }
  }

  /** What the apps of all other runtimes serve. */
  services(): ServiceOffer[] {
    return [...this.up].flatMap((link) => [...link.services()]);
  }

  close(): void {
    this.stopped = true;
    for (const link of [...this.links.values()]) {
      link.sendGoaway("ERR_DAEMON_DRAIN", "this daemon stops");
      link.flush();
      link.close("this daemon stops");
    }
  }
}
