/** One reader of `/v1/tap`: what it wants, and the lines that wait for it. */
import type { TapGap, TapLine, TappedCall } from "@koala/protocol";
import type { AdminStream } from "../control/admin-stream.ts";
import type { TapOrder } from "./observe-orders.ts";
import type { TapCondition } from "./tap-condition.ts";

/** Calls that wait for a reader. */
const waitingMax = 500;
/** What is missing is said no more often than this. */
const gapMs = 1000;

export class TapSession implements AdminStream {
  readonly order: TapOrder;
  readonly condition: TapCondition | undefined;
  private readonly onClose: () => void;
  private readonly waiting: TappedCall[] = [];
  private gap: TapGap = noGap();
  private wake: () => void = () => {};
  private saidMs = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;

  constructor(order: TapOrder, condition: TapCondition | undefined, onClose: () => void) {
    this.order = order;
    this.condition = condition;
    this.onClose = onClose;
  }

  start(wake: () => void): void {
    this.wake = wake;
  }

  nextLine(): TapLine | undefined {
    const call = this.waiting.shift();
    if (call !== undefined) return { call };
    const { gap } = this;
    if (gap.missed + gap.dropped + gap.failed === 0) return undefined;
    const left = this.saidMs + gapMs - performance.now();
    if (left > 0) {
      this.timer ??= setTimeout(() => {
        this.timer = undefined;
        this.wake();
      }, left);
      return undefined;
    }
    this.saidMs = performance.now();
    this.gap = noGap();
    return { gap };
  }

  close(): void {
    clearTimeout(this.timer);
    this.onClose();
  }

  show(call: TappedCall): void {
    if (this.waiting.length >= waitingMax) this.gap.dropped++;
    else this.waiting.push(call);
    this.wake();
  }

  missed(calls: number): void {
    this.gap.missed += calls;
    this.wake();
  }

  /** The condition could not be evaluated for a call. */
  failed(reason: string): void {
    this.gap.failed++;
    this.gap.reason = reason;
    this.wake();
  }
}

function noGap(): TapGap {
  return { missed: 0, dropped: 0, failed: 0, reason: "" };
}
