/**
 * How many bytes of large messages may come in to private memory at once. Their credit is returned chunk by
 * chunk, so that no number of half messages can use the window up; what bounds their memory instead is that
 * the rest of a message, beyond what its sender has from the start, is granted only while there is room.
 * One is always granted, however large, so they all get there in the end. And so many may have begun: a
 * sender that begins more, and ends none, has the further ones refused.
 */
import type { Assembly } from "./assembly.ts";

export class AssemblyGrants {
  private readonly bytesMax: number;
  private readonly grant: (assembly: Assembly) => void;
  private bytes = 0;
  private begunBytes = 0;
  private readonly waiting: Assembly[] = [];

  constructor(bytesMax: number, grant: (assembly: Assembly) => void) {
    this.bytesMax = bytesMax;
    this.grant = grant;
  }

  /** A message begins, of which so many bytes may come without a grant; false when there is no room for them. */
  begin(assembly: Assembly, ungranted: number): boolean {
    if (this.begunBytes + ungranted > 2 * this.bytesMax) return false;
    assembly.reserved = ungranted;
    this.begunBytes += ungranted;
    return true;
  }

  /** The message needs a grant; it gets it now or later. */
  request(assembly: Assembly): void {
    assembly.granted = "waiting";
    this.waiting.push(assembly);
    this.grantNext();
  }

  /** The message is complete, or not wanted any more. */
  done(assembly: Assembly): void {
    this.begunBytes -= assembly.reserved;
    assembly.reserved = 0;
    if (assembly.granted === "counted") this.bytes -= assembly.total;
    const at = this.waiting.indexOf(assembly);
    if (at >= 0) this.waiting.splice(at, 1);
    assembly.granted = "apart";
    this.grantNext();
  }

  /** A message that goes on from its state; in the order in which they were. */
  load(assembly: Assembly): void {
    this.begunBytes += assembly.reserved;
    if (assembly.granted === "counted") this.bytes += assembly.total;
    if (assembly.granted === "waiting") this.waiting.push(assembly);
  }

  private grantNext(): void {
    for (;;) {
      const next = this.waiting[0];
      if (next === undefined) return;
      if (this.bytes > 0 && this.bytes + next.total > this.bytesMax) return;
      this.waiting.shift();
      next.granted = "counted";
      this.bytes += next.total;
      this.grant(next);
    }
  }
}
