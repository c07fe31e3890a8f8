/**
 * Latencies of several clients put together: percentiles of each can't be averaged. Buckets grow by half a
 * percent, so that any latency is known to a quarter of a percent.
 */
import type { SampleFigures } from "./samples.ts";

/** Bucket `n` has what is from `growth ** n` microseconds to `growth ** (n + 1)`. */
const growth = 1.005;
const logGrowth = Math.log(growth);
/** What is not above nothing: clocks may stand still for a call. */
const microsMin = 0.001;

/** Counts by bucket, ascending. */
export type Histogram = readonly (readonly [bucket: number, count: number])[];

/** Counts latencies in microseconds. */
export function histogramOf(micros: Float64Array): Histogram {
  const counts = new Map<number, number>();
  for (const each of micros) {
    const bucket = Math.floor(Math.log(Math.max(each, microsMin)) / logGrowth);
    counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
  }
  return ascending(counts);
}

/** Adds histograms up. */
export function mergeHistograms(histograms: readonly Histogram[]): Histogram {
  const counts = new Map<number, number>();
  for (const [bucket, count] of histograms.flat()) {
    counts.set(bucket, (counts.get(bucket) ?? 0) + count);
  }
  return ascending(counts);
}

/** The figures of a histogram. */
export function figuresOf(histogram: Histogram): SampleFigures {
  const samples = histogram.reduce((total, [, count]) => total + count, 0);
  const at = (percent: number): number | null => {
    let left = Math.max(1, Math.ceil((samples * percent) / 100));
    for (const [bucket, count] of histogram) {
      left -= count;
      if (left <= 0) return middleOf(bucket);
    }
    return null;
  };
  return {
    samples,
    p50Us: at(50),
    p95Us: at(95),
    p99Us: at(99),
    p999Us: at(99.9),
    minUs: at(0),
  };
}

/** The latency that is as far from the one end of the bucket as from the other, by ratio. */
function middleOf(bucket: number): number {
  return growth ** (bucket + 0.5);
}

function ascending(counts: ReadonlyMap<number, number>): Histogram {
  return [...counts].sort(([a], [b]) => a - b);
}
