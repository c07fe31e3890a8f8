/**
 * Decides how long a runtime looks for work before it sleeps.
 *
 * Spinning pays when work comes within a few microseconds and the core has nothing else to do: it saves
 * the two context switches of a sleep. It costs dearly when somebody else needs the core: four processes
 * that spin on two cores are 2 to 6 times slower than the same four asleep. So: the budget doubles after
 * a spin that found work, halves after one that did not (down to none, then one try in `retryRounds`),
 * and is nothing while more threads are runnable than there are cores.
 */
export interface SpinOptions {
  /** Longest spin, microseconds; 0 switches spinning off. */
  maxMicros: number;
  /** Always spin that long, whatever comes of it. */
  fixed: boolean;
  cores: number;
  /** Threads of the whole machine that are running or want to, this one included. */
  runnableThreads: () => number;
}

const startMicros = 4;
/** Sleeps between two tries while spinning has not paid. */
const retryRounds = 256;
/** Sleeps between two looks at the number of runnable threads, which costs a system call or two. */
const sampleRounds = 64;

export class Spinner {
  private readonly options: SpinOptions;
  private micros = 0;
  private rounds = 0;
  private crowded = true;

  constructor(options: SpinOptions) {
    this.options = options;
  }

  /** How long to look for work now, microseconds. */
  budgetMicros(): number {
    const { maxMicros, fixed } = this.options;
    if (maxMicros === 0 || fixed) return maxMicros;
    if (this.rounds % sampleRounds === 0) {
      this.crowded = this.options.runnableThreads() > this.options.cores;
    }
    this.rounds++;
    if (this.crowded) return 0;
    if (this.micros < 1) {
      return this.rounds % retryRounds === 1 ? Math.min(startMicros, maxMicros) : 0;
    }
    return this.micros;
  }

  /** What came of a spin. */
  report(foundWork: boolean): void {
    this.micros = foundWork
      ? Math.min(this.options.maxMicros, Math.max(startMicros, this.micros * 2))
      : this.micros / 2;
  }
}
