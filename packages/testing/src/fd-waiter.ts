/** Blocks a test's thread on descriptors, as a runtime thread does, until something becomes true. */
import {
  closeFd,
  POLL_EDGE,
  POLL_IN,
  POLL_OUT,
  POLL_RDHUP,
  pollerAdd,
  pollerCreate,
  pollerWait,
} from "@koala/native";
import { deadlineMsDefault } from "./until.ts";

const eventsMax = 64;

/**
 * Looks at changes, not at states (POLL_EDGE): what is waited for must have been tried until it gave
 * nothing more. This is the one way of waiting that a socket, a doorbell and a completion channel share.
 */
export class FdWaiter {
  private readonly poller = pollerCreate();
  private readonly out = new Int32Array(2 * eventsMax);

  /** Begins to wait on a descriptor too. Closing the descriptor ends that. */
  add(fd: number): void {
    pollerAdd(this.poller, fd, fd, POLL_IN | POLL_OUT | POLL_RDHUP | POLL_EDGE);
  }

  /**
   * Returns once `condition` holds. It is asked again after each event on a descriptor and at no other
   * time, so a wake-up that is lost becomes an error at the deadline.
   */
  until(what: string, condition: () => boolean, deadlineMs: number = deadlineMsDefault): void {
    const end = performance.now() + deadlineMs;
    while (!condition()) {
      const restMs = end - performance.now();
      if (restMs <= 0) throw new Error(`not within ${deadlineMs} ms: ${what}`);
      pollerWait(this.poller, this.out, eventsMax, Math.ceil(restMs * 1000));
    }
  }

  close(): void {
    closeFd(this.poller);
  }
}
