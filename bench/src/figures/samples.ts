/** Latencies in microseconds, in memory that was there before the measurement began. */
import { type Histogram, histogramOf } from "./histogram.ts";
import { percentile } from "./statistics.ts";

/** What is said about all samples that were kept. */
export interface SampleFigures {
  samples: number;
  p50Us: number | null;
  p95Us: number | null;
  p99Us: number | null;
  p999Us: number | null;
  minUs: number | null;
}

/** Half a million calls a second for eight seconds; what comes after that is left out. */
const samplesMax = 1 << 22;

/** Collects; while `keep` is false, what comes is dropped: that was the warm-up. */
export class Samples {
  keep = false;
  private readonly micros: Float64Array;
  private count = 0;
  private roundStart = 0;

  constructor(capacity: number = samplesMax) {
    this.micros = new Float64Array(capacity);
  }

  add(micros: number): void {
    if (this.keep && this.count < this.micros.length) this.micros[this.count++] = micros;
  }

  /** The median of what came since the last call of this. */
  endRound(): number | null {
    const round = this.micros.slice(this.roundStart, this.count).sort();
    this.roundStart = this.count;
    return percentile(round, 50);
  }

  figures(): SampleFigures {
    const ascending = this.micros.slice(0, this.count).sort();
    return {
      samples: this.count,
      p50Us: percentile(ascending, 50),
      p95Us: percentile(ascending, 95),
      p99Us: percentile(ascending, 99),
      p999Us: percentile(ascending, 99.9),
      minUs: ascending[0] ?? null,
    };
  }

  /** All of them by size, so that they can be added to those of others. */
  histogram(): Histogram {
    return histogramOf(this.micros.subarray(0, this.count));
  }

  /** Begins anew. */
  forget(): void {
    this.count = 0;
    this.roundStart = 0;
  }
}
