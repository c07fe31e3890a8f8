/** What an experiment folder says (`eval/NAME/experiment.toml`), once it has been read and checked. */

/** A plot of the results. */
export interface PlotSpec {
  readonly title: string;
  /** `line`: one line a system over `x`; `bar`: one bar a system (and value of `x`); `stack`: one bar a system, a part of it for each value of `x`; `time`: a row of `series`. */
  readonly form: "line" | "bar" | "stack" | "time";
  /** A parameter: `bytes`. */
  readonly x: string;
  /** A figure (`p50Us`), or for `time` a row (`callsPer10Ms`). */
  readonly y: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly xScale: "linear" | "log";
  readonly yScale: "linear" | "log";
  /** Only results whose parameters have these values. */
  readonly where: Readonly<Record<string, string | number>>;
  /** Systems to show; all when empty. */
  readonly systems: readonly string[];
}

/** A ratio that is to be reached: `system`'s figure divided by that of `against`. */
export interface TargetSpec {
  readonly figure: string;
  readonly system: string;
  readonly against: string;
  readonly where: Readonly<Record<string, string | number>>;
  /** Exactly one of the two. */
  readonly atMost?: number;
  readonly atLeast?: number;
}

export interface Experiment {
  /** Of its folder. */
  readonly name: string;
  readonly title: string;
  readonly question: string;
  /** Which code measures it: a name in `kinds/catalog.ts`. */
  readonly kind: string;
  readonly systems: readonly string[];
  /** Parameters that are varied, each combination once: `{ bytes: [64, 1024], inFlight: [1] }`. */
  readonly grid: Readonly<Record<string, readonly (string | number)[]>>;
  readonly rounds: number;
  readonly roundSeconds: number;
  /** All of it may take so long; what is not measured then is reported as skipped. */
  readonly limitSeconds: number;
  readonly plots: readonly PlotSpec[];
  readonly targets: readonly TargetSpec[];
  /** The `[settings]` of kinds that need more; each checks its own. */
  readonly settings: Readonly<Record<string, unknown>>;
}
