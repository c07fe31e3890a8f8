/**
 * Calls that wait for the tokens of one bucket, first come, first served. Each has reserved a token when
 * it came; the moments at which the tokens are there belong to the line, so when a caller gives up, those
 * behind it move up.
 */
import type { PolicyCall, PolicyTimer } from "@koala/policy";
import type { BucketTable } from "./bucket-table.ts";

/** One call in a line. */
export interface Waiting {
  readonly line: WaitingLine;
  readonly call: PolicyCall;
}

/** What a line needs of its policy. */
export interface LineHost {
  nowMs(): number;
  timer(fire: () => void): PolicyTimer;
  /** The line is empty. */
  emptied(line: WaitingLine): void;
  /** A call is through. */
  passed(call: PolicyCall): void;
}

export class WaitingLine {
  readonly bucket: number;
  readonly table: BucketTable;
  /** In the order in which they came; an insertion-ordered set leaves in O(1). */
  private readonly waiting = new Set<Waiting>();
  /** When the next tokens are there, soonest first; as many as calls wait. */
  private readonly dueMs: number[] = [];
  private readonly timer: PolicyTimer;
  private readonly host: LineHost;

  constructor(host: LineHost, table: BucketTable, bucket: number) {
    this.host = host;
    this.table = table;
    this.bucket = bucket;
    this.timer = host.timer(() => this.serve());
  }

  /** Tokens that are reserved and not used. */
  get reserved(): number {
    return this.dueMs.length;
  }

  /** The call waits for a token that is there after this time. */
  add(call: PolicyCall, waitMs: number): Waiting {
    const waiting: Waiting = { line: this, call };
    this.waiting.add(waiting);
    this.dueMs.push(this.host.nowMs() + waitMs);
    if (this.dueMs.length === 1) this.timer.set(waitMs);
    return waiting;
  }

  /** The caller has given up. */
  leave(waiting: Waiting): void {
    if (!this.waiting.delete(waiting)) return;
    this.dueMs.pop();
    this.table.giveBack(this.bucket, 1);
    if (this.waiting.size === 0) this.end();
  }

  /** Lets those go on whose tokens are there. */
  private serve(): void {
    const nowMs = this.host.nowMs();
    let served = 0;
    for (const waiting of this.waiting) {
      if (this.dueMs[served]! > nowMs) break;
      served++;
      this.waiting.delete(waiting);
      this.host.passed(waiting.call);
      waiting.call.resume();
    }
    this.dueMs.splice(0, served);
    if (this.waiting.size === 0) this.end();
    else this.timer.set(this.dueMs[0]! - nowMs);
  }

  private end(): void {
    this.timer.clear();
    this.host.emptied(this);
  }
}
