/**
 * Open loop: calls are made when they are due, not when others have returned, and latencies count from when
 * they were due. So a system that stands still for a second is charged with all calls of this second, and not with
 * the one that happened to be under way (the error is known as coordinated omission).
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { closeFd, doorbellCreate, POLL_IN, unwatch, watch } from "@koala/native";
import type { Samples } from "../figures/samples.ts";
import { poissonArrivals } from "./arrivals.ts";
import type { Call } from "./call-load.ts";
import type { Round, RunCommand } from "./load-command.ts";
import type { PacerSettings } from "./pacer.ts";

/** Offers calls until the time is over, then waits for those that are under way. */
export async function runOpenLoad(
  call: Call,
  { inFlight, seconds, rate = 0, seed = 1 }: RunCommand,
  samples: Samples,
): Promise<Round> {
  const bell = doorbellCreate();
  const settings: PacerSettings = { bell, rate, seed, seconds };
  // Timers of the event loop are a millisecond coarse; a thread can sleep exactly.
  const pacer = new Worker(new URL("pacer.js", import.meta.url), { workerData: settings });
  let watcher: number | undefined;
  try {
    await once(pacer, "message");
    const start = performance.now();
    const load = new OpenLoad(call, samples, inFlight, start, seconds * 1000);
    const arrivals = poissonArrivals(rate, seed);
    watcher = watch(bell, POLL_IN, () => load.makeDue(arrivals), { clear: true });
    pacer.once("exit", () => {
      load.makeDue(arrivals);
      load.close();
    });
    pacer.postMessage(performance.timeOrigin + start);
    return await load.settled;
  } finally {
    if (watcher !== undefined) unwatch(watcher);
    await pacer.terminate();
    closeFd(bell);
  }
}

/** The calls of one round. */
export class OpenLoad {
  readonly settled: Promise<Round>;
  private readonly call: Call;
  private readonly samples: Samples;
  private readonly inFlightMax: number;
  private readonly start: number;
  private readonly durationMs: number;
  private resolve!: (round: Round) => void;
  private reject!: (error: unknown) => void;
  /** When the next call is due; undefined before the first look. */
  private nextMs: number | undefined;
  private underWay = 0;
  private calls = 0;
  private shed = 0;
  private closed = false;

  constructor(
    call: Call,
    samples: Samples,
    inFlightMax: number,
    start: number,
    durationMs: number,
  ) {
    this.call = call;
    this.samples = samples;
    this.inFlightMax = inFlightMax;
    this.start = start;
    this.durationMs = durationMs;
    this.settled = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** Makes all calls that are due by now. */
  makeDue(arrivals: () => number, now: number = performance.now()): void {
    const until = Math.min(now - this.start, this.durationMs);
    this.nextMs ??= arrivals();
    while (this.nextMs <= until && !this.closed) {
      if (this.underWay < this.inFlightMax) void this.make(this.start + this.nextMs);
      else this.shed++;
      this.nextMs = arrivals();
    }
  }

  /** No more calls come. */
  close(): void {
    this.closed = true;
    this.settle();
  }

  private async make(due: number): Promise<void> {
    this.underWay++;
    try {
      await this.call();
      const now = performance.now();
      this.samples.add((now - due) * 1000);
      if (now - this.start <= this.durationMs) this.calls++;
    } catch (error) {
      this.closed = true;
      this.reject(error);
    }
    this.underWay--;
    this.settle();
  }

  private settle(): void {
    if (!this.closed || this.underWay > 0) return;
    this.resolve({ calls: this.calls, seconds: this.durationMs / 1000, shed: this.shed });
  }
}
