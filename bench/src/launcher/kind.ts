/** A way of measuring: `kinds/load.ts`, `kinds/timeline.ts`, … */
import type { Stage } from "../processes/stage.ts";
import type { System } from "../systems/system.ts";
import type { Experiment } from "./experiment.ts";
import type { ResultLine } from "./result-line.ts";

/** What a kind gets from the launcher. */
export interface ExperimentContext {
  readonly experiment: Experiment;
  /** Those of `experiment.systems` that can be started here; the others have been reported as skipped. */
  readonly systems: readonly System[];
  /** A fraction of the rounds and of the grid: shows that it works, measures nothing. */
  readonly quick: boolean;
  /** Aborted when time is up or the user has enough. */
  readonly signal: AbortSignal;
  /** A new stage; the launcher closes it, on any exit. A kind may close it earlier. */
  stage(): Stage;
  /** Writes a line of results at once. */
  emit(result: Omit<ResultLine, "experiment">): void;
  /** Says that the results of a system stand under another's name: it is not reported as skipped. */
  covered(system: string): void;
  /** Says why a system is not measured. */
  skip(system: string, sentence: string): void;
  /** Shown while it runs. */
  progress(what: string): void;
  /** Says that a system has broken. The run goes on without it, and does not end well. */
  failed(system: string, error: unknown, tails: string): void;
}

export interface ExperimentKind {
  readonly name: string;
  /** Systems that only this kind knows what to do with; experiments of it name them as they do others. */
  readonly systems?: readonly System[];
  /** Measures, and rejects when it can't. `ERR_EVAL_SETTINGS` for `settings` it does not understand. */
  run(context: ExperimentContext): Promise<void>;
}
