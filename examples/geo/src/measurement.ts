/**
 * The measuring loops of the demo, the same for every system: one call after the other for latency, many in
 * flight for the rate. Rounds of both add up until the figures are asked for.
 */
import type { Place } from "./places.ts";

/** Asks for the cities nearest to a place and says how many came back. */
export type Ask = (lat: number, lon: number) => Promise<number>;

/** What a load process prints at its end: one line of JSON. */
export interface Figures {
  /** Calls measured one at a time. */
  readonly samples: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** With many in flight. */
  readonly callsPerSecond: number;
}

/** How many calls are in flight when the rate is measured. */
export const rateInFlight = 64;

/** Cities in a reply; another number means that the system under test is broken. */
export const citiesPerReply = 5;

/** Takes rounds and adds them up. */
export interface Measurement {
  /** One call after the other for about `durationMs`. */
  latencyRound(durationMs: number): Promise<void>;
  /** `rateInFlight` calls in flight for about `durationMs`. */
  rateRound(durationMs: number): Promise<void>;
  figures(): Figures;
  /** Forgets all rounds so far: they were to warm up. */
  reset(): void;
}

/** Measures `ask` over `places`, taken in turn. A call that fails ends its round with that error. */
export function createMeasurement(ask: Ask, places: readonly Place[]): Measurement {
  const latenciesMs: number[] = [];
  let rateCalls = 0;
  let rateMs = 0;
  let turn = 0;

  const askNext = async (): Promise<void> => {
    const [lat, lon] = places[turn++ % places.length]!;
    const count = await ask(lat, lon);
    if (count !== citiesPerReply) {
      throw new Error(`asked for ${citiesPerReply} cities near ${lat}, ${lon} and got ${count}`);
    }
  };

  return {
    latencyRound: async (durationMs) => {
      const end = performance.now() + durationMs;
      for (let before = performance.now(); before < end; ) {
        await askNext();
        const after = performance.now();
        latenciesMs.push(after - before);
        before = after;
      }
    },
    rateRound: async (durationMs) => {
      const start = performance.now();
      const end = start + durationMs;
      const askUntilEnd = async (): Promise<void> => {
        while (performance.now() < end) {
          await askNext();
          rateCalls++;
        }
      };
      await Promise.all(Array.from({ length: rateInFlight }, askUntilEnd));
      rateMs += performance.now() - start;
    },
    figures: () => {
      const sorted = Float64Array.from(latenciesMs).sort();
      return {
        samples: sorted.length,
        p50Us: percentile(sorted, 50) * 1000,
        p99Us: percentile(sorted, 99) * 1000,
        callsPerSecond: rateMs === 0 ? 0 : rateCalls / (rateMs / 1000),
      };
    },
    reset: () => {
      latenciesMs.length = 0;
      rateCalls = 0;
      rateMs = 0;
    },
  };
}

/** The nearest-rank percentile of ascending numbers; 0 when there are none. */
export function percentile(ascending: Float64Array, percent: number): number {
  const rank = Math.ceil((ascending.length * percent) / 100);
  return ascending[Math.max(rank, 1) - 1] ?? 0;
}
