/** The listening side of the memory transport: a bounded queue of ends that wait to be accepted. */
import type { Listener } from "@koala/interface";
import { closeFd, doorbellClear, doorbellCreate, doorbellRing, EAGAIN, EBADF } from "@koala/native";
import { openMemoryEnd } from "./memory-connection.ts";
import type { MemoryEnd } from "./memory-pair.ts";

/** What a listener tells the network that it belongs to. */
export interface ListenerEvents {
  onAccept(end: MemoryEnd): void;
  onClose(): void;
}

export class MemoryListener implements Listener {
  readonly fd: number;
  readonly port: number;
  private readonly backlog: number;
  private readonly events: ListenerEvents;
  private readonly pending: MemoryEnd[] = [];
  private closed = false;

  constructor(port: number, backlog: number, events: ListenerEvents) {
    this.fd = doorbellCreate();
    this.port = port;
    this.backlog = backlog;
    this.events = events;
  }

  /** Queues the far end of a new connection; false when it is refused. */
  offer(end: MemoryEnd): boolean {
    if (this.closed || this.pending.length >= this.backlog) return false;
    this.pending.push(end);
    doorbellRing(this.fd);
    return true;
  }

  accept(): number {
    if (this.closed) return -EBADF;
    const end = this.pending.shift();
    if (end === undefined) {
      doorbellClear(this.fd);
      return -EAGAIN;
    }
    this.events.onAccept(end);
    return end.doorbell;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const end of this.pending.splice(0)) openMemoryEnd(end).close();
    closeFd(this.fd);
    this.events.onClose();
  }
}
