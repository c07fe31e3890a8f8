/**
 * Decides how long a consumer of rings - a runtime of the daemon, an app - looks for work before it sleeps.
 *
 * Spinning pays when work comes within some microseconds: it saves the two context switches of a sleep,
 * the other side its doorbell, and a virtual machine the long way out of a halted core. It costs dearly
 * when somebody else needs the core: four processes that spin on two cores are 2 to 6 times slower than
 * the same four asleep, unless whoever spins yields the core between two looks.
 *
 * So a thread spins only where experience says that it pays, and yields. What comes next depends on what
 * was done last: an app that was handed a request answers within its handler's time, another host takes
 * a round trip. For each place that work was handed to there is a `SpinHistory`, which learns from every
 * pause, slept or spun, whether it was short enough; nothing has to be tried out. And nobody spins on a
 * machine with many more runnable threads than cores.
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

/** Pauses between two looks at the number of runnable threads, which costs some microseconds. */
const sampleRounds = 16;
/** Weight of the newest look. One look sees who runs at that moment by chance; what counts is the rule. */
const lookWeight = 1 / 4;
/**
 * The machine is crowded when more threads a core are runnable on average. A runtime that spins gives
 * way to every other thread of its core between two looks, so a full machine does not mind it; a
 * crowded one has better things to do.
 */
const crowdedThreadsPerCore = 2.25;
/** Weight of the newest pause in the share of short ones (exponential smoothing). */
const newestWeight = 1 / 8;
/** Spin when at least this share of the pauses was short. */
const shareMin = 0.5;

/** How pauses ended that began after work had been handed to one place. */
export class SpinHistory {
  /** Share of the pauses that were short, the newest counting most; from 0 to 1. */
  shortShare = 0;
}

export class Spinner {
  private readonly options: SpinOptions;
  private rounds = 0;
  private runnable: number;

  constructor(options: SpinOptions) {
    this.options = options;
    this.runnable = options.cores;
  }

  /** How long to look for work in the pause that begins now, microseconds. */
  budgetMicros(history: SpinHistory): number {
    const { maxMicros, fixed } = this.options;
    if (maxMicros === 0 || fixed) return maxMicros;
    if (this.rounds++ % sampleRounds === 0) {
      this.runnable += (this.options.runnableThreads() - this.runnable) * lookWeight;
    }
    const isCrowded = this.runnable > this.options.cores * crowdedThreadsPerCore;
    return isCrowded || history.shortShare < shareMin ? 0 : maxMicros;
  }

  /** A pause has ended, by work or by a timer. */
  learn(history: SpinHistory, pauseMicros: number): void {
    const isShort = pauseMicros <= this.options.maxMicros ? 1 : 0;
    history.shortShare += (isShort - history.shortShare) * newestWeight;
  }
}
