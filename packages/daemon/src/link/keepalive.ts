/** Notices that a far daemon is silent: asks for a sign of life after one interval, gives up after two more. */
import { type Runtime, Timer } from "@koala/runtime";

export interface KeepaliveOptions {
  runtime: Runtime;
  intervalMs: number;
  /** Whether it has said who it is; it gets one interval for that. */
  isKnown: () => boolean;
  ping: () => void;
  /** It is gone, and why. */
  lost: (reason: string) => void;
}

export class Keepalive {
  /** Intervals without a sign of life; whoever gets one sets it to 0. */
  quietIntervals = 0;
  private readonly options: KeepaliveOptions;
  private readonly timer: Timer = new Timer(() => this.check());

  constructor(options: KeepaliveOptions) {
    this.options = options;
  }

  start(): void {
    const { runtime, intervalMs } = this.options;
    runtime.timers.set(this.timer, runtime.nowMs + intervalMs);
  }

  stop(): void {
    this.options.runtime.timers.clear(this.timer);
  }

  private check(): void {
    const { intervalMs, isKnown, ping, lost } = this.options;
    if (!isKnown()) {
      lost(`no HELLO within ${intervalMs} ms; is it a Koala daemon?`);
      return;
    }
    if (this.quietIntervals >= 2) {
      lost(`no sign of life for ${(this.quietIntervals + 1) * intervalMs} ms`);
      return;
    }
    if (this.quietIntervals > 0) ping();
    this.quietIntervals++;
    this.start();
  }
}
