/**
 * Token buckets in memory that all runtimes share, without locks.
 *
 * A bucket is a number: the tokens that have been spent, on the same scale as those that time has earned
 * (`now × rate`). Of what time has earned beyond `burst` nothing is left. So taking a token is one
 * compare-and-swap, no refill has to run, and the rate is exact, because nothing is added up: it is the
 * virtual scheduling of the generic cell rate algorithm (ITU-T I.371, annex A), with its clock in tokens.
 * Both sides count modulo 2^32, in parts of a token; a bucket that was not used for longer than it takes
 * to fill is full, whatever its number says.
 *
 * The table is set-associative, as caches are: a key has one set of eight places. When all are taken, the
 * one that was used least recently makes room; of two that have the same key for a moment, because two
 * runtimes added it at once, the first is used from then on.
 *
 * ```
 * header  seed of the hash, twice; 6 words unused
 * bucket  hash, twice │ spent │ last used, ms
 * ```
 */
const HEADER_WORDS = 8;
const BUCKET_WORDS = 4;
const WAYS = 8;
const SECOND = 1;
const SPENT = 2;
const USED = 3;

/** What is known of a rate limit when its memory is made. */
export interface BucketRate {
  /** Tokens a second. */
  readonly rate: number;
  /** Tokens that a full bucket has. */
  readonly burst: number;
  /** Tokens that may be reserved ahead, all runtimes together. */
  readonly ahead: number;
}

/** Clocks of two runtimes are not further apart: each has the time at which its round began. */
const skewMs = 1000;
const triesMax = 100;

export class BucketTable {
  /** Buckets that had to go before they were full: their keys start again with a full one. */
  evicted = 0;
  readonly seedFirst: number;
  readonly seedSecond: number;
  private readonly words: Int32Array;
  private readonly setMask: number;
  /** Parts of a token, in which buckets count. */
  private readonly cost: number;
  private readonly perMs: number;
  private readonly full: number;
  private readonly aheadMax: number;
  private readonly fillMs: number;

  /** Bytes of a table for so many keys. */
  static bytesFor(keysMax: number): number {
    const sets = 2 ** Math.ceil(Math.log2(Math.ceil(keysMax / WAYS)));
    return 4 * (HEADER_WORDS + sets * WAYS * BUCKET_WORDS);
  }

  constructor(memory: SharedArrayBuffer, { rate, burst, ahead }: BucketRate, seed: () => number) {
    this.words = new Int32Array(memory);
    this.setMask = (this.words.length - HEADER_WORDS) / (WAYS * BUCKET_WORDS) - 1;
    this.cost = partsFor(rate, burst, ahead);
    this.perMs = (rate * this.cost) / 1000;
    this.full = burst * this.cost;
    this.aheadMax = Math.ceil(ahead * this.cost + this.cost + this.perMs * skewMs);
    this.fillMs = Math.ceil((burst + ahead) / (rate / 1000)) + 2 * skewMs;
    this.seedFirst = this.seedAt(0, seed);
    this.seedSecond = this.seedAt(1, seed);
  }

  /** The bucket of a key, which it gets now if it has none. */
  find(first: number, second: number, nowMs: number): number {
    const { words } = this;
    const begin = HEADER_WORDS + (first & this.setMask) * WAYS * BUCKET_WORDS;
    const end = begin + WAYS * BUCKET_WORDS;
    for (let at = begin; at < end; at += BUCKET_WORDS) {
      const there = Atomics.load(words, at);
      if (there === first && Atomics.load(words, at + SECOND) === second) return at;
      if (there === 0 && Atomics.compareExchange(words, at, 0, first) === 0) {
        return this.fill(at, second, nowMs);
      }
    }
    return this.replace(begin, first, second, nowMs);
  }

  /**
   * Takes a token, or reserves one that comes within `aheadMs`. 0 or more: taken, to be used after so many
   * ms. Less than 0: not taken, there is one after so many ms.
   */
  take(bucket: number, nowMs: number, aheadMs: number): number {
    const { words, cost, perMs } = this;
    const earned = Math.floor(nowMs * perMs) | 0;
    const now = Math.floor(nowMs) | 0;
    const ahead = aheadMs * perMs;
    for (let tries = 0; tries < triesMax; tries++) {
      const spent = Atomics.load(words, bucket + SPENT);
      const idleMs = (now - Atomics.load(words, bucket + USED)) | 0;
      let left = (earned - spent) | 0;
      if (left > this.full || left < -this.aheadMax || this.isOver(idleMs)) left = this.full;
      const lacking = cost - left;
      if (lacking > ahead && lacking > 0) return -(lacking / perMs);
      Atomics.store(words, bucket + USED, now);
      const after = (earned - left + cost) | 0;
      if (Atomics.compareExchange(words, bucket + SPENT, spent, after) === spent) {
        return lacking > 0 ? lacking / perMs : 0;
      }
    }
    return -1; // others were quicker each time
  }

  /** Gives back tokens that were reserved and are not needed. */
  giveBack(bucket: number, tokens: number): void {
    Atomics.sub(this.words, bucket + SPENT, tokens * this.cost);
  }

  /** Tells buckets of other rates apart, since their numbers don't mean the same. */
  get salt(): string {
    return `${this.perMs}/${this.full}/`;
  }

  /** Whether the bucket is full, or was long ago: its clock has 32 bits. */
  private isOver(idleMs: number): boolean {
    return idleMs > this.fillMs || (idleMs < -skewMs && this.fillMs < 2 ** 31);
  }

  private replace(begin: number, first: number, second: number, nowMs: number): number {
    const { words } = this;
    const now = Math.floor(nowMs) | 0;
    let oldest = begin;
    let idleMsMax = -1;
    for (let way = 0; way < WAYS; way++) {
      const at = begin + way * BUCKET_WORDS;
      const idleMs = (now - Atomics.load(words, at + USED)) | 0;
      // Longer than a clock of 32 bits can tell, or used by a runtime that is a little ahead.
      const known = idleMs < -skewMs ? this.fillMs + 1 : idleMs;
      if (known > idleMsMax) {
        idleMsMax = known;
        oldest = at;
      }
    }
    const there = Atomics.load(words, oldest);
    // Another runtime may be faster: then two keys share a bucket for one call.
    if (Atomics.compareExchange(words, oldest, there, first) !== there) return oldest;
    if (idleMsMax <= this.fillMs) this.evicted++;
    return this.fill(oldest, second, nowMs);
  }

  private fill(bucket: number, second: number, nowMs: number): number {
    const { words } = this;
    Atomics.store(words, bucket + SPENT, (Math.floor(nowMs * this.perMs) - this.full) | 0);
    Atomics.store(words, bucket + USED, Math.floor(nowMs) | 0);
    Atomics.store(words, bucket + SECOND, second);
    return bucket;
  }

  /** The first runtime chooses, the others follow. */
  private seedAt(word: number, seed: () => number): number {
    const chosen = Math.floor(seed() * 0xffff_fffe) + 1;
    Atomics.compareExchange(this.words, word, 0, chosen);
    return Atomics.load(this.words, word);
  }
}

/** Parts of a token: as fine as leaves the numbers of a bucket within 2^30 of each other. */
function partsFor(rate: number, burst: number, ahead: number): number {
  const range = 2 ** 30 / (2 * burst + 2 * ahead + 4 * rate);
  return 2 ** Math.max(0, Math.min(10, Math.floor(Math.log2(range))));
}
