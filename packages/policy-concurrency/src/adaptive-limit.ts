/**
 * A limit that follows latency. When calls take longer than usual, they queue somewhere behind us, and the
 * limit is lowered by the ratio of the two; when they don't, it rises by about its square root, to find out
 * whether more would do.
 *
 * After the gradient limit of Netflix's concurrency-limits (Eran Landau, William Thurston, Tim Bozarth,
 * "Performance Under Load", 2018), which has the idea, to take a rising round-trip time for a queue, from
 * TCP Vegas (Brakmo, O'Malley and Peterson, 1994).
 */
import type { AdaptiveConfig } from "./config.ts";
import type { PermitTable } from "./permit-table.ts";

/** A window has at least so many calls, so that one slow call does not decide. */
const samplesMin = 10;
/** Share of one window in the usual latency: about the last ten minutes at one window a second. */
const usualShare = 1 / 300;
/** Share of one window in the limit. */
const limitShare = 0.2;
/** The limit is at most halved at once. */
const gradientMin = 0.5;

/** What has been seen of one key since the window began. */
interface Window {
  beganMs: number;
  samples: number;
  sumMicros: number;
  inFlightMax: number;
}

export class AdaptiveLimit {
  private readonly windows = new Map<number, Window>();
  private readonly table: PermitTable;

  constructor(table: PermitTable) {
    this.table = table;
  }

  /** A call has ended; `inFlight` counts it, too. */
  sample(
    entry: number,
    micros: number,
    inFlight: number,
    nowMs: number,
    config: AdaptiveConfig,
  ): void {
    let window = this.windows.get(entry);
    if (window === undefined) {
      window = { beganMs: nowMs, samples: 0, sumMicros: 0, inFlightMax: 0 };
      this.windows.set(entry, window);
    }
    window.samples++;
    window.sumMicros += micros;
    if (inFlight > window.inFlightMax) window.inFlightMax = inFlight;
    if (window.samples < samplesMin || nowMs - window.beganMs < config.window) return;
    this.close(entry, window, config);
    window.beganMs = nowMs;
    window.samples = 0;
    window.sumMicros = 0;
    window.inFlightMax = 0;
  }

  private close(entry: number, window: Window, config: AdaptiveConfig): void {
    const { table } = this;
    const micros = Math.max(1, window.sumMicros / window.samples);
    const usual = nextUsual(table.usualMicros(entry), micros);
    table.setUsualMicros(entry, usual);
    const limit = table.limitOf(entry);
    // Nobody asked for more: latency says nothing about the limit.
    if (window.inFlightMax < limit / 2) return;
    table.setLimit(entry, nextLimit(limit, usual, micros, config));
  }
}

/** The usual latency after a window. */
export function nextUsual(usual: number, micros: number): number {
  if (usual === 0) return micros;
  const next = usual + (micros - usual) * usualShare;
  // Much faster than usual: what was usual was overload, and is forgotten soon.
  return next > 2 * micros ? next * 0.95 : next;
}

/** The limit after a window. */
export function nextLimit(
  limit: number,
  usualMicros: number,
  micros: number,
  { min, max, tolerance }: AdaptiveConfig,
): number {
  const gradient = Math.max(gradientMin, Math.min(1, (tolerance * usualMicros) / micros));
  const wanted = limit * gradient + Math.sqrt(limit);
  return Math.max(min, Math.min(max, limit + (wanted - limit) * limitShare));
}
