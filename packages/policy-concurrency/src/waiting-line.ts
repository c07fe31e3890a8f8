/**
 * Calls that wait for one limit: higher priorities first, first come first served among equals.
 *
 * It also says when waiting has become the rule: the shortest wait has been above `target` for an
 * `interval`. That is the estimator of CoDel (Nichols and Jacobson, "Controlling Queue Delay", 2012; RFC
 * 8289). What is shed then is not dropped at CoDel's pace, which is made for senders that slow down when
 * they lose a packet: as long as it lasts, whoever has waited longer than `target` goes, as in Facebook's
 * adaptation for requests (Maurer, "Fail at Scale", 2015) - the lowest priority first.
 */
import type { QueueConfig } from "./config.ts";
import type { Ticket } from "./ticket.ts";

interface PriorityClass {
  readonly priority: number;
  /** In the order in which they came; an insertion-ordered set loses members in O(1). */
  readonly waiting: Set<Ticket>;
}

export class WaitingLine {
  readonly entry: number;
  size = 0;
  /** Highest priority first; none is empty. */
  private readonly classes: PriorityClass[] = [];
  /** When somebody last waited for less than the target. */
  private shortMs: number;

  constructor(entry: number, nowMs: number) {
    this.entry = entry;
    this.shortMs = nowMs;
  }

  add(ticket: Ticket): void {
    const { priority } = ticket;
    const { classes } = this;
    let index = classes.length;
    while (index > 0 && classes[index - 1]!.priority < priority) index--;
    const above = classes[index - 1];
    if (above?.priority === priority) above.waiting.add(ticket);
    else classes.splice(index, 0, { priority, waiting: new Set([ticket]) });
    this.size++;
  }

  /** Takes it out; false if it is not there. */
  remove(ticket: Ticket): boolean {
    const index = this.classes.findIndex(({ priority }) => priority === ticket.priority);
    const found = this.classes[index];
    if (found === undefined || !found.waiting.delete(ticket)) return false;
    if (found.waiting.size === 0) this.classes.splice(index, 1);
    this.size--;
    return true;
  }

  /** The one that is next. */
  first(): Ticket | undefined {
    return oldest(this.classes[0]);
  }

  /** The one that is turned down first: of the lowest priority, who has waited longest. */
  last(): Ticket | undefined {
    return oldest(this.classes.at(-1));
  }

  /** Somebody goes on who has waited so long. */
  sawWait(waitedMs: number, nowMs: number, { target }: QueueConfig): void {
    if (waitedMs < target) this.shortMs = nowMs;
  }

  /** Who has to go because waiting has become the rule; undefined when nobody has to. */
  overdue(nowMs: number, { target, interval }: QueueConfig): Ticket | undefined {
    if (target === 0 || nowMs - this.shortMs <= interval) return undefined;
    const ticket = this.last();
    return ticket !== undefined && nowMs - ticket.sinceMs > target ? ticket : undefined;
  }
}

function oldest(some: PriorityClass | undefined): Ticket | undefined {
  if (some === undefined) return undefined;
  for (const ticket of some.waiting) return ticket;
  return undefined;
}
