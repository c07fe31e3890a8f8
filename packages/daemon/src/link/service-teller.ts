/**
 * Tells the far side of a link which services there are. Changes that come together are told once, and a list
 * that takes long to make is not told without pause, so that a thousand services that appear one after the other
 * do not keep both daemons busy with lists.
 */
import { FrameType, SERVICE_PARTS_FEATURE, type ServiceOffer } from "@koala/protocol";
import { type Runtime, Timer } from "@koala/runtime";
import type { FrameSender } from "./frame-sender.ts";
import { offersInParts, offersOfOneFrame } from "./offers.ts";

/** Of its time, a runtime spends at most one part in so many on long lists for one peer. */
const pauseFactor = 10;
/** A list that takes less is told at once: whoever has just begun to serve is to be found. */
const longListMs = 5;

export interface ServiceTellerOptions {
  runtime: Runtime;
  frames: FrameSender;
  offers: () => ServiceOffer[];
  /** Runtimes of one daemon rely on hearing at once. */
  isSibling: boolean;
  /** What the far side can; null before it has said so. */
  features: () => readonly string[] | null;
}

export class ServiceTeller {
  private readonly options: ServiceTellerOptions;
  private readonly timer: Timer;
  private isDue = false;
  /** Milliseconds of `performance.now()`. */
  private notBefore = 0;

  constructor(options: ServiceTellerOptions) {
    this.options = options;
    this.timer = new Timer(() => this.tell());
  }

  /** Services have changed since the far side was told. */
  note(): void {
    this.isDue = true;
  }

  /** Puts the list into the output, if there is something to tell and its time has come. */
  tell(): void {
    const { frames, offers, isSibling, features, runtime } = this.options;
    const known = features();
    // While frames wait, the far side does not read: it will get the list as it is then.
    if (!this.isDue || known === null || frames.waitingCount > 0) return;
    const began = performance.now();
    if (!isSibling && began < this.notBefore) {
      if (this.timer.bucket < 0) {
        runtime.timers.set(this.timer, runtime.nowMs + (this.notBefore - began) + 1);
      }
      return;
    }
    this.isDue = false;
    const all = offers();
    const parts = known.includes(SERVICE_PARTS_FEATURE)
      ? offersInParts(all)
      : [offersOfOneFrame(all)];
    parts.forEach((services, index) => {
      const isLast = index === parts.length - 1;
      frames.sendJson(FrameType.SERVICES, 0, isLast ? { services } : { services, more: true });
    });
    const ended = performance.now();
    const tookMs = ended - began;
    if (tookMs > longListMs) this.notBefore = ended + pauseFactor * tookMs;
  }

  /** The link is gone, or goes on elsewhere. */
  stop(): void {
    this.options.runtime.timers.clear(this.timer);
  }
}
