/** Where a runtime sleeps: an epoll instance with everything that can wake it. */
import { assert } from "@koala/interface";
import {
  closeFd,
  POLL_EDGE,
  POLL_IN,
  pollerAdd,
  pollerCreate,
  pollerRemove,
  pollerWait,
} from "@koala/native";
import type { Waiter } from "@koala/runtime";

const eventsMax = 64;

export class EpollWaiter implements Waiter {
  private readonly poller: number = pollerCreate();
  private readonly events = new Int32Array(2 * eventsMax);
  private readonly handlers: (((events: number) => void) | undefined)[] = [];
  private readonly tags = new Map<number, number>();
  private readonly freeTags: number[] = [];

  /**
   * Calls back when a descriptor is ready. With POLL_EDGE (and for doorbells, which need not be read
   * then) once for each change. The descriptor must be removed before it is closed.
   */
  add(fd: number, events: number, ready: (events: number) => void): void {
    const tag = this.freeTags.pop() ?? this.handlers.length;
    this.handlers[tag] = ready;
    this.tags.set(fd, tag);
    pollerAdd(this.poller, fd, tag, events);
  }

  /** A doorbell: nobody reads it, each ring is an edge. */
  addDoorbell(fd: number, rung: () => void): void {
    this.add(fd, POLL_IN | POLL_EDGE, rung);
  }

  remove(fd: number): void {
    const tag = this.tags.get(fd);
    if (tag === undefined) return;
    this.tags.delete(fd);
    this.handlers[tag] = undefined;
    this.freeTags.push(tag);
    pollerRemove(this.poller, fd);
  }

  wait(timeoutMicros: number): void {
    const count = pollerWait(this.poller, this.events, eventsMax, timeoutMicros);
    assert(count >= 0, "the runtime's own epoll instance can be waited for");
    for (let i = 0; i < count; i++) {
      this.handlers[this.events[2 * i]!]?.(this.events[2 * i + 1]!);
    }
  }

  close(): void {
    closeFd(this.poller);
  }
}
