import type { PolicyCall } from "@koala/policy";

/**
 * A call that waits for a permit, or has one. It stays with the call (`call.local`), also when other code
 * takes over, so its form is a part of the state's version.
 */
export interface Ticket {
  /** Place of the key in the table. */
  entry: number;
  /** Of the instance that let the call go on; when that is over, the ticket is worth nothing. */
  generation: number;
  /** Only while it waits. */
  call: PolicyCall | undefined;
  priority: number;
  /** When it began to wait. */
  sinceMs: number;
  /** When the call went on, µs; 0 if nobody wants to know. */
  beganMicros: number;
}

/** Tickets that are not in use, so that calls cost no garbage. */
export class TicketPool {
  private readonly free: Ticket[] = [];

  take(entry: number, generation: number): Ticket {
    const ticket = this.free.pop() ?? {
      entry: 0,
      generation: 0,
      call: undefined,
      priority: 0,
      sinceMs: 0,
      beganMicros: 0,
    };
    ticket.entry = entry;
    ticket.generation = generation;
    return ticket;
  }

  giveBack(ticket: Ticket): void {
    ticket.call = undefined;
    ticket.beganMicros = 0;
    this.free.push(ticket);
  }
}
