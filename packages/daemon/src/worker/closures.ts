/** The ends of a runtime's apps and links, as many as are worth to be looked at. */
import type { ClosureStatus } from "./status.ts";

/** Older ones are in the log. */
export const closuresMax = 32;
/** A reason may quote what an app or a peer has sent. */
const reasonLengthMax = 1000;

export class Closures {
  private readonly entries: ClosureStatus[] = [];

  /** `code` is "" for an end without fault. */
  note(kind: ClosureStatus["kind"], who: string, code: string, reason: string): void {
    if (this.entries.length === closuresMax) this.entries.shift();
    const at = new Date().toISOString();
    this.entries.push({ at, kind, who, code, reason: reason.slice(0, reasonLengthMax) });
  }

  /** Oldest first. */
  status(): ClosureStatus[] {
    return [...this.entries];
  }
}
