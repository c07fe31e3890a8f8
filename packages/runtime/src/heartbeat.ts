/**
 * What a runtime shows of itself while it runs: a page of shared memory that its thread writes and others
 * read, without a message between them. So a thread that hangs can still be judged, and one that sleeps
 * is not woken to be asked.
 *
 * ```
 *  32-bit words   0 phase     what the thread does (Phase)
 *                 1 round     rounds, modulo 2^32
 *                 2 handler   number of the policy slot whose handler runs; 0: none
 *                 3 dozing    the reader sets 1 when it stops looking, the thread takes it and rings
 *                 4 thread    its id for the kernel; 0 until it is known
 *  doubles        8 …         counters since the start, then two marks: counters as they were a second or
 *                             two ago, so that a reader knows rates at once
 * ```
 *
 * Words are written with plain stores: a reader may see them a little late, and looks more than once
 * before it concludes anything.
 */

/** Bytes of the page. */
export const HEARTBEAT_BYTES = 256;

/** Index of the word that names the policy slot whose handler runs. */
export const HEARTBEAT_HANDLER = 2;

const PHASE = 0;
const ROUND = 1;
const DOZING = 3;
const THREAD = 4;

/** What a runtime's thread does. */
export const Phase = {
  /** It has not begun its first round. */
  NEW: 0,
  WORKING: 1,
  /** It sleeps until something is ready or a timer is due. */
  SLEEPING: 2,
  /** It lets its event loop turn, for what can't be done in a round. */
  TURNING: 3,
} as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

/** Index of the first counter among the page's doubles. */
const ROUNDS = 8;
const SLEEPS = 9;
const WAKEUPS = 10;
const SPINS = 11;
const SPIN_HITS = 12;
/** Microseconds in which there was nothing to do: asleep, or looking for work. */
const WAITED = 13;
const PAUSE_SINCE = 14;
const STARTED = 15;
/** Marks: time, waited, rounds, sleeps, wakeups, spins. */
const OLDER = 16;
const NEWER = 22;
const markLength = 6;

/** A mark is this old at least, and twice this at most while the thread is busy. */
const markMicros = 1_000_000;

/** What a runtime has done since its start. */
export interface RuntimeCounters {
  rounds: number;
  sleeps: number;
  /** Sleeps that ended because something was ready, not because a timer was due. */
  wakeups: number;
  spins: number;
  spinHits: number;
}

/** The writing side; belongs to the runtime's thread. */
export class Heartbeat {
  readonly words: Int32Array;
  /** For whoever runs handlers of policies: `running[0]` is the word of the slot. */
  readonly running: Int32Array;
  /** Rings whoever has stopped looking; called at most once for each time he stopped. */
  onDozing: () => void = () => {};
  private readonly numbers: Float64Array;

  constructor(page: SharedArrayBuffer = new SharedArrayBuffer(HEARTBEAT_BYTES)) {
    this.words = new Int32Array(page);
    this.running = this.words.subarray(HEARTBEAT_HANDLER, HEARTBEAT_HANDLER + 1);
    this.numbers = new Float64Array(page);
  }

  /** The thread begins: `thread` is its id for the kernel. */
  begin(nowMicros: number, thread: number): void {
    const { numbers } = this;
    numbers[STARTED] = nowMicros;
    numbers[OLDER] = nowMicros;
    numbers[NEWER] = nowMicros;
    this.words[THREAD] = thread;
  }

  /** A round begins; `pausedMicros` is what the thread has just waited, without a break. */
  round(nowMicros: number, pausedMicros: number): void {
    const { words, numbers } = this;
    words[PHASE] = Phase.WORKING;
    words[ROUND] = words[ROUND]! + 1;
    numbers[WAITED] = numbers[WAITED]! + pausedMicros;
    if (nowMicros - numbers[NEWER]! >= markMicros) this.mark(nowMicros, pausedMicros);
    numbers[ROUNDS] = numbers[ROUNDS]! + 1;
    if (words[DOZING] !== 0 && Atomics.exchange(words, DOZING, 0) !== 0) this.onDozing();
  }

  /** The thread goes to sleep; it has waited since `pauseSince` already. */
  sleep(pauseSince: number): void {
    const { words, numbers } = this;
    numbers[SLEEPS] = numbers[SLEEPS]! + 1;
    numbers[PAUSE_SINCE] = pauseSince;
    words[PHASE] = Phase.SLEEPING;
  }

  /** Something was ready before a timer was due. */
  wakeup(): void {
    this.numbers[WAKEUPS] = this.numbers[WAKEUPS]! + 1;
  }

  spin(): void {
    this.numbers[SPINS] = this.numbers[SPINS]! + 1;
  }

  spinHit(): void {
    this.numbers[SPIN_HITS] = this.numbers[SPIN_HITS]! + 1;
  }

  /** The thread leaves its rounds for a while, to let its event loop turn. */
  turn(): void {
    this.words[PHASE] = Phase.TURNING;
  }

  counters(): RuntimeCounters {
    return countersOf(this.numbers);
  }

  private mark(nowMicros: number, pausedMicros: number): void {
    const { numbers } = this;
    if (pausedMicros < markMicros) {
      numbers.copyWithin(OLDER, NEWER, NEWER + markLength);
      writeMark(numbers, NEWER, nowMicros, numbers[WAITED]!);
      return;
    }
    // It has slept all through the last second: that is where both marks belong.
    const before = nowMicros - markMicros;
    writeMark(numbers, NEWER, before, numbers[WAITED]! - markMicros);
    numbers.copyWithin(OLDER, NEWER, NEWER + markLength);
  }
}

/** What a reader sees at one moment. */
export interface HeartbeatSample {
  phase: Phase;
  /** Modulo 2^32. */
  round: number;
  /** Number of the policy slot whose handler runs; 0: none. */
  handler: number;
}

/** Rates over the last second or two. */
export interface HeartbeatRates {
  windowMicros: number;
  /** 0 to 1. */
  load: number;
  rounds: number;
  sleeps: number;
  wakeups: number;
  spins: number;
}

/** The reading side, in any thread. */
export class HeartbeatReader {
  private readonly words: Int32Array;
  private readonly numbers: Float64Array;

  constructor(page: SharedArrayBuffer) {
    this.words = new Int32Array(page);
    this.numbers = new Float64Array(page);
  }

  /** The thread's id for the kernel; 0 until it is known. */
  get thread(): number {
    return Atomics.load(this.words, THREAD);
  }

  sample(): HeartbeatSample {
    return {
      phase: Atomics.load(this.words, PHASE) as Phase,
      round: Atomics.load(this.words, ROUND),
      handler: Atomics.load(this.words, HEARTBEAT_HANDLER),
    };
  }

  /**
   * Asks to be rung at the next round. A round that begins at this very moment may be missed: look once
   * more before relying on it.
   */
  doze(): void {
    Atomics.store(this.words, DOZING, 1);
  }

  counters(): RuntimeCounters {
    return countersOf(this.numbers);
  }

  /** As of now; the thread need not do anything for it. */
  rates(nowMicros: number): HeartbeatRates {
    const { numbers } = this;
    const asleepSince = this.sample().phase === Phase.SLEEPING ? numbers[PAUSE_SINCE]! : nowMicros;
    const asleep = Math.max(0, nowMicros - asleepSince);
    const since = numbers[OLDER]!;
    const windowMicros = nowMicros - since;
    // Asleep all through the last second, or not begun: there is nothing to divide.
    if (asleep >= markMicros || since === 0 || windowMicros <= 0) {
      return { windowMicros: markMicros, load: 0, rounds: 0, sleeps: 0, wakeups: 0, spins: 0 };
    }
    const busy = windowMicros - (numbers[WAITED]! + asleep - numbers[OLDER + 1]!);
    // A thread that has just begun had nothing to do before.
    const span = Math.max(markMicros, windowMicros);
    const perSecond = (counter: number, offset: number): number =>
      ((numbers[counter]! - numbers[OLDER + offset]!) * 1e6) / span;
    return {
      windowMicros: span,
      load: Math.min(1, Math.max(0, busy / span)),
      rounds: perSecond(ROUNDS, 2),
      sleeps: perSecond(SLEEPS, 3),
      wakeups: perSecond(WAKEUPS, 4),
      spins: perSecond(SPINS, 5),
    };
  }
}

function writeMark(
  numbers: Float64Array,
  at: number,
  timeMicros: number,
  waitedMicros: number,
): void {
  numbers[at] = timeMicros;
  numbers[at + 1] = waitedMicros;
  for (let i = 0; i < 4; i++) numbers[at + 2 + i] = numbers[ROUNDS + i]!;
}

function countersOf(numbers: Float64Array): RuntimeCounters {
  return {
    rounds: numbers[ROUNDS]!,
    sleeps: numbers[SLEEPS]!,
    wakeups: numbers[WAKEUPS]!,
    spins: numbers[SPINS]!,
    spinHits: numbers[SPIN_HITS]!,
  };
}
