/**
 * The safety net below deadlines. They are the daemon's to enforce: it gets the time with the call. A
 * daemon that hangs enforces nothing, so the app looks, too - rarely, and without a timer a call.
 */
import { Status } from "@koala/interface";
import { RpcError } from "../errors/rpc-error.ts";
import type { Datapath } from "../mesh/datapath.ts";
import { settleEarly } from "./submit.ts";

/** What the daemon's answer may take after the deadline; also how often the app looks. */
const graceMs = 250;

export class DeadlineWatch {
  private readonly datapath: Datapath;
  private timer: NodeJS.Timeout | null = null;
  private dueAt = 0;
  private wasLate = false;

  constructor(datapath: Datapath) {
    this.datapath = datapath;
  }

  /** A call with a deadline has begun, at `now`. */
  start(now: number): void {
    if (this.timer === null) this.arm(now);
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  /** Pending calls keep the process alive by themselves; the timer outlasts the last one by a tick. */
  private arm(now: number): void {
    this.dueAt = now + graceMs;
    this.timer = setTimeout(() => this.look(), graceMs).unref();
  }

  private look(): void {
    this.timer = null;
    const { datapath } = this;
    const now = performance.now();
    // When this thread itself was busy, the daemon may have the calls for an instant only.
    const isLate = now - this.dueAt > graceMs;
    if (!isLate || this.wasLate) {
      datapath.catchUp();
      if (datapath.ended) return;
      endOverdue(datapath, now - graceMs);
    }
    this.wasLate = isLate;
    if (datapath.pending.hasDeadline()) this.arm(now);
  }
}

/** Ends calls whose deadline was before `time`; their entries stay until the daemon has answered. */
function endOverdue(datapath: Datapath, time: number): void {
  for (const call of datapath.pending.active()) {
    if (call.deadline >= time) continue;
    const text = `${call.method!.name}: its deadline has passed, and the daemon does not answer`;
    settleEarly(call)?.(new RpcError(Status.DEADLINE_EXCEEDED, text));
  }
}
