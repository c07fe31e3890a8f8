/** Counters of the calls of one binding. They cost a call a few additions, and are always on. */
import { latencyBucketOf, latencyBuckets } from "@koala/protocol";

export class Traffic {
  calls = 0;
  errors = 0;
  open = 0;
  requestBytes = 0;
  replyBytes = 0;
  /** Of sampled calls. Made with the first of them: most bindings of a large mesh are never used. */
  private buckets: Uint32Array | null = null;

  /** A sampled call took so long. */
  took(micros: number): void {
    this.buckets ??= new Uint32Array(latencyBuckets);
    const bucket = latencyBucketOf(micros);
    this.buckets[bucket] = this.buckets[bucket]! + 1;
  }

  /** Pairs of bucket and count, for those that are not empty. */
  latency(): number[] {
    const pairs: number[] = [];
    const { buckets } = this;
    if (buckets === null) return pairs;
    for (let bucket = 0; bucket < buckets.length; bucket++) {
      const count = buckets[bucket]!;
      if (count > 0) pairs.push(bucket, count);
    }
    return pairs;
  }
}
