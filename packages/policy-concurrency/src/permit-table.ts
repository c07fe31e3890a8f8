/**
 * Calls in flight by key, in memory that all runtimes share, without locks.
 *
 * Each key has a count of all runtimes, on which the limit is held, and one of each runtime, so that what
 * a runtime had in flight when it ended can be taken off again. Keys lie in sets of eight places, as in a
 * cache; a place with calls in flight stays, of the others the one that was used least recently makes room.
 *
 * ```
 * header  seed of the hash, twice │ how often each runtime began
 * entry   hash, twice │ in flight │ last used, ms │ limit × 16 │ usual latency, µs │ in flight, each runtime
 * ```
 */
const SEED_WORDS = 2;
const WAYS = 8;
const SECOND = 1;
const IN_FLIGHT = 2;
const USED = 3;
const LIMIT = 4;
const USUAL = 5;
const FIRST_RUNTIME = 6;
/** In place of the number in flight while a key makes room for another. */
const MOVING = -1;
/** More than a daemon has. */
const RUNTIMES_MAX = 64;
const limitParts = 16;
const triesMax = 100;

export class PermitTable {
  /** Keys that had to share a limit, because all places of their set were in use. */
  crowded = 0;
  readonly seedFirst: number;
  readonly seedSecond: number;
  /** Tells instances apart: the runtime's number in the lowest bits, above them how often it began. */
  generation = 0;
  /** How many keys there is room for. */
  readonly entries: number;
  private readonly words: Int32Array;
  private readonly entryWords: number;
  private readonly headerWords: number;
  private readonly setMask: number;
  private readonly runtime: number;

  /** Bytes of a table for so many keys. */
  static bytesFor(keysMax: number, runtimes: number): number {
    const sets = 2 ** Math.ceil(Math.log2(Math.ceil(keysMax / WAYS)));
    return 4 * (SEED_WORDS + runtimes + sets * WAYS * (FIRST_RUNTIME + runtimes));
  }

  constructor(
    memory: SharedArrayBuffer,
    runtime: { readonly index: number; readonly count: number },
    seed: () => number,
  ) {
    this.words = new Int32Array(memory);
    this.entryWords = FIRST_RUNTIME + runtime.count;
    this.headerWords = SEED_WORDS + runtime.count;
    const sets = Math.floor((this.words.length - this.headerWords) / (this.entryWords * WAYS));
    this.setMask = sets - 1;
    this.entries = sets * WAYS;
    this.runtime = runtime.index;
    this.seedFirst = this.seedAt(0, seed);
    this.seedSecond = this.seedAt(1, seed);
  }

  /** A new instance in this runtime: what an earlier one had in flight is over, and is not heard of again. */
  begin(): void {
    const times = Atomics.add(this.words, SEED_WORDS + this.runtime, 1) + 1;
    this.generation = times * RUNTIMES_MAX + this.runtime;
    for (let entry = 0; entry < this.entries; entry++) {
      const own = this.at(entry) + FIRST_RUNTIME + this.runtime;
      const left = Atomics.exchange(this.words, own, 0);
      if (left !== 0) Atomics.sub(this.words, this.at(entry) + IN_FLIGHT, left);
    }
  }

  /** What this instance has in flight, by entry. */
  counts(): [entry: number, count: number][] {
    const counts: [number, number][] = [];
    for (let entry = 0; entry < this.entries; entry++) {
      const count = Atomics.load(this.words, this.at(entry) + FIRST_RUNTIME + this.runtime);
      if (count > 0) counts.push([entry, count]);
    }
    return counts;
  }

  /**
   * Another instance takes over from one of this generation, with its calls. In another process it has
   * begun anew before it hears of them: then they are counted again.
   */
  resume(generation: number, counts: readonly (readonly [entry: number, count: number])[]): void {
    const { words, runtime } = this;
    this.generation = generation;
    const times = Math.floor(generation / RUNTIMES_MAX);
    if (Atomics.exchange(words, SEED_WORDS + runtime, times) === times) return;
    for (const [entry, count] of counts) {
      if (entry >= this.entries) continue;
      const at = this.at(entry);
      Atomics.add(words, at + FIRST_RUNTIME + runtime, count);
      Atomics.add(words, at + IN_FLIGHT, count);
    }
  }

  /** The entry of a key, which it gets now, with this limit, if it has none. */
  find(first: number, second: number, nowMs: number, limit: number): number {
    const { words } = this;
    const begin = (first & this.setMask) * WAYS;
    for (let entry = begin; entry < begin + WAYS; entry++) {
      const at = this.at(entry);
      const there = Atomics.load(words, at);
      if (there === first && Atomics.load(words, at + SECOND) === second) return entry;
      if (there === 0 && this.claim(entry, first, second, nowMs, limit)) return entry;
    }
    return this.replace(begin, first, second, nowMs, limit);
  }

  /** One more in flight, unless there are as many as the limit. */
  acquire(entry: number, limit: number, nowMs: number): boolean {
    const { words } = this;
    const at = this.at(entry);
    for (let tries = 0; tries < triesMax; tries++) {
      const count = Atomics.load(words, at + IN_FLIGHT);
      if (count >= limit || count === MOVING) return false;
      if (Atomics.compareExchange(words, at + IN_FLIGHT, count, count + 1) === count) {
        Atomics.add(words, at + FIRST_RUNTIME + this.runtime, 1);
        Atomics.store(words, at + USED, Math.floor(nowMs) | 0);
        return true;
      }
    }
    return false;
  }

  /**
   * One less in flight, of an instance of this generation, here or in another runtime, where the call was
   * before. False if that instance is over, and what it had in flight with it.
   */
  release(entry: number, generation: number): boolean {
    const { words } = this;
    const runtime = generation % RUNTIMES_MAX;
    const times = Math.floor(generation / RUNTIMES_MAX);
    const isKnown = runtime < this.headerWords - SEED_WORDS && entry < this.entries;
    if (!isKnown || Atomics.load(words, SEED_WORDS + runtime) !== times) return false;
    const at = this.at(entry);
    if (Atomics.load(words, at + FIRST_RUNTIME + runtime) <= 0) return false;
    Atomics.sub(words, at + FIRST_RUNTIME + runtime, 1);
    Atomics.sub(words, at + IN_FLIGHT, 1);
    return true;
  }

  inFlight(entry: number): number {
    return Math.max(0, Atomics.load(this.words, this.at(entry) + IN_FLIGHT));
  }

  /** The limit that latency has led to. */
  limitOf(entry: number): number {
    return Atomics.load(this.words, this.at(entry) + LIMIT) / limitParts;
  }

  setLimit(entry: number, limit: number): void {
    Atomics.store(this.words, this.at(entry) + LIMIT, Math.round(limit * limitParts));
  }

  /** The latency of the last minutes, µs; 0 before it is known. */
  usualMicros(entry: number): number {
    return Atomics.load(this.words, this.at(entry) + USUAL);
  }

  setUsualMicros(entry: number, micros: number): void {
    Atomics.store(this.words, this.at(entry) + USUAL, Math.min(2 ** 31 - 1, Math.round(micros)));
  }

  private at(entry: number): number {
    return this.headerWords + entry * this.entryWords;
  }

  private replace(
    begin: number,
    first: number,
    second: number,
    nowMs: number,
    limit: number,
  ): number {
    const now = Math.floor(nowMs) | 0;
    let oldest = -1;
    let idleMsMax = -1;
    for (let entry = begin; entry < begin + WAYS; entry++) {
      const at = this.at(entry);
      if (Atomics.load(this.words, at + IN_FLIGHT) !== 0) continue;
      const idleMs = (now - Atomics.load(this.words, at + USED)) >>> 0;
      if (idleMs <= idleMsMax) continue;
      idleMsMax = idleMs;
      oldest = entry;
    }
    if (oldest >= 0 && this.claim(oldest, first, second, nowMs, limit)) return oldest;
    this.crowded++;
    return begin + (second & (WAYS - 1));
  }

  /** Makes an entry without calls the key's; false if another runtime was faster. */
  private claim(
    entry: number,
    first: number,
    second: number,
    nowMs: number,
    limit: number,
  ): boolean {
    const { words } = this;
    const at = this.at(entry);
    if (Atomics.compareExchange(words, at + IN_FLIGHT, 0, MOVING) !== 0) return false;
    Atomics.store(words, at + SECOND, second);
    Atomics.store(words, at, first);
    Atomics.store(words, at + USED, Math.floor(nowMs) | 0);
    this.setLimit(entry, limit);
    this.setUsualMicros(entry, 0);
    Atomics.store(words, at + IN_FLIGHT, 0);
    return true;
  }

  /** The first runtime chooses, the others follow. */
  private seedAt(word: number, seed: () => number): number {
    const chosen = Math.floor(seed() * 0xffff_fffe) + 1;
    Atomics.compareExchange(this.words, word, 0, chosen);
    return Atomics.load(this.words, word);
  }
}
