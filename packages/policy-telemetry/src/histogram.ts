/**
 * Log-linear buckets for durations: every power of two is cut into 16 equal parts, so a bucket is at most
 * 1/16 of its values wide, over eight decades, and finding it takes a count of leading zeros and a shift.
 * The idea is that of HdrHistogram (hdrhistogram.org) and of OpenTelemetry's exponential histogram at
 * scale 4, with cheaper bounds: linear within a power of two.
 *
 *   µs       0 … 15  │ 16 17 … 31 │ 32 34 … 62 │ 64 68 …  │ … │ 2^26 …  2^27 │ more
 *   bucket   0 … 15  │ 16 … 31    │ 32 … 47    │ 48 …     │ … │ … 383        │ 384
 */
const partBits = 4;
const parts = 1 << partBits;
/** Durations from here on (134 s) share the last bucket. */
const microsLimit = 1 << 27;
const lastBucket = (27 - partBits + 1) * parts;

/** How many buckets a histogram has. */
export const bucketCount: number = lastBucket + 1;

/** The bucket of a duration. Never out of range, whatever the number. */
export function bucketOf(micros: number): number {
  if (!(micros < microsLimit)) return lastBucket;
  const whole = micros > 0 ? micros | 0 : 0;
  if (whole < parts) return whole;
  const power = 31 - Math.clz32(whole);
  return ((power - partBits) << partBits) + (whole >>> (power - partBits));
}

/** The first duration, in microseconds, that is too long for the bucket; infinite for the last one. */
export function upperMicros(bucket: number): number {
  if (bucket >= lastBucket) return Number.POSITIVE_INFINITY;
  if (bucket < parts) return bucket + 1;
  const power = bucket >>> partBits;
  return ((bucket & (parts - 1)) + parts + 1) * 2 ** (power - 1);
}

/**
 * How many durations surely took no longer than each of the bounds (in µs, ascending), and last how many
 * there are. A bound within a bucket leaves that bucket out: a slow call never counts as a fast one.
 */
export function cumulativeCounts(buckets: Float64Array, boundsMicros: readonly number[]): number[] {
  const counts: number[] = [];
  let sum = 0;
  let bucket = 0;
  for (const bound of boundsMicros) {
    while (bucket < buckets.length && upperMicros(bucket) <= bound) sum += buckets[bucket++]!;
    counts.push(sum);
  }
  while (bucket < buckets.length) sum += buckets[bucket++]!;
  counts.push(sum);
  return counts;
}
