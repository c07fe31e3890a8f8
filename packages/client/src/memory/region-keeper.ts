/** Asks for more send heap when it is full, and gives empty regions back when they have been so a while. */
import { closeFd } from "@koala/native";
import type { Datapath } from "../mesh/datapath.ts";

/** How long an extra region stays empty before it goes back. */
const idleMs = 5000;

export class RegionKeeper {
  /** What the daemon said when it refused more, until something may have changed its mind. */
  refusal: string | null = null;
  private readonly datapath: Datapath;
  private isGrowing = false;
  private extraRegions = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(datapath: Datapath) {
    this.datapath = datapath;
  }

  /**
   * A block of so many bytes is wanted. False when there is nothing to wait for: the daemon gives no more
   * memory and no block is in use that could come back.
   */
  want(bytes: number): boolean {
    if (this.isGrowing) return true;
    const { datapath } = this;
    if (this.refusal !== null) {
      if (!this.dropIdle(Date.now())) {
        const { pending, awaitingRelease } = datapath;
        if (pending.size > pending.withoutBlock || awaitingRelease > 0) return true;
        this.refusal = this.refusal === "" ? "no more memory" : this.refusal;
        return false;
      }
    }
    this.isGrowing = true;
    const { control } = datapath;
    const seq = control.nextSeq();
    control.request({ op: "grow", seq, bytes }, [], (answer, fds) => {
      this.isGrowing = false;
      if (answer.op === "region") {
        this.refusal = null;
        this.extraRegions++;
        datapath.addRegion(answer, fds);
      } else {
        fds.forEach(closeFd);
        this.refusal = answer.op === "refused" ? answer.message : answer.op;
      }
      datapath.pump();
      datapath.schedule();
    });
    return true;
  }

  /** After blocks came back: starts the clock for regions that have become empty. */
  noteFree(): void {
    if (this.extraRegions === 0 || this.timer !== null) return;
    if (!this.datapath.send.heap.hasEmptyRegion()) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.dropIdle(Date.now() - idleMs);
      this.noteFree();
    }, idleMs + 100).unref();
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    // Nothing may start the clock again.
    this.extraRegions = 0;
  }

  private dropIdle(moment: number): boolean {
    let dropped = false;
    const { send, control } = this.datapath;
    for (let id = send.dropIdleRegion(moment); id !== -1; id = send.dropIdleRegion(moment)) {
      control.send({ op: "shrink", region: id });
      this.extraRegions--;
      dropped = true;
    }
    if (dropped) this.refusal = null;
    return dropped;
  }
}
