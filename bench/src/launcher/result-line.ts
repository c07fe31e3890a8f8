/**
 * What an experiment has found out: lines of JSON in `eval/results/RUN.jsonl`. The first line of a run is an
 * `EnvironmentLine`, each further one is a `ResultLine`: one system under one set of parameters.
 */

/** Which programs of a system are meant; `between` is whatever stands between client and server. */
export type Role = "client" | "server" | "between" | "beside";

export interface ResultLine {
  /** Name of the experiment: `latency`. */
  readonly experiment: string;
  /** Name of the system: `koala-tcp`. */
  readonly system: string;
  /** What was varied, and to what it was set: `{ bytes: 64, inFlight: 1 }`. */
  readonly parameters: Readonly<Record<string, string | number>>;
  /** Why there are no figures, as a sentence. */
  readonly skipped?: string;
  /** Measurements over all rounds; the unit ends the name: `p50Us`, `callsPerSecond`. Null: does not exist. */
  readonly figures: Readonly<Record<string, number | null>>;
  /** The same figure round by round, where it was taken in rounds. */
  readonly rounds?: Readonly<Record<string, readonly number[]>>;
  /** Longer rows of numbers, for timelines: `{ callsPer10Ms: [...] }`. */
  readonly series?: Readonly<Record<string, readonly number[]>>;
  /** Processor seconds while it was measured, and memory at the end of it, by role. */
  readonly processes?: readonly ProcessFigures[];
}

/** What one process used. */
export interface ProcessFigures {
  readonly name: string;
  readonly role: Role;
  /** Of all its threads, in all rounds; null when the kernel does not count. */
  readonly cpuSeconds: number | null;
  /** Proportional set size; null when it can't be read. */
  readonly pssBytes: number | null;
}

/** Where and of what the figures are. */
export interface EnvironmentLine {
  readonly environment: {
    /** Name of the run: its time and the commit, `20261123-213000-1a2b3c4`. */
    readonly run: string;
    readonly date: string;
    readonly commit: string;
    /** True when the tree differed from the commit. */
    readonly isModified: boolean;
    readonly quick: boolean;
    readonly node: string;
    readonly kernel: string;
    readonly processor: string;
    readonly processors: number;
    readonly memoryBytes: number;
    /** Load average of the minute before. */
    readonly load: number;
    /** Versions of others' software, by name; a reason in place of a version for what is missing. */
    readonly peers: Readonly<Record<string, string>>;
  };
}
