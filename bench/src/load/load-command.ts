/**
 * What the main program and a load program say to each other: lines of JSON over stdin and stdout. A load
 * program prints `{"ready":true}` first, answers each command with one line, and ends when it is told
 * `end` or its stdin ends.
 */
import type { LoadMethod } from "../cases/case.ts";
import type { SampleFigures } from "../figures/samples.ts";

/** Call for so long. */
export interface RunCommand {
  readonly op: "run";
  readonly method: LoadMethod;
  readonly bytes: number;
  /** Goes beside the payload of `echo`. */
  readonly text?: string | undefined;
  /** Calls under way at the same time; with `rate`, as many as there may be. */
  readonly inFlight: number;
  readonly seconds: number;
  /** False for the warm-up: latencies are not kept. */
  readonly keep: boolean;
  /** What the latencies belong to, where one client serves several systems. */
  readonly series?: string;
  /**
   * Open loop: so many calls a second are offered, whether or not others have returned, at random times as
   * if many users that know nothing of each other made them (a Poisson process). Latencies count from the
   * time at which a call was due. Without it, or with 0, a call follows on a reply.
   */
  readonly rate?: number;
  /** Of the random times, so that all systems get the same ones. */
  readonly seed?: number;
}

/** Say what the kept latencies came to. */
export interface FiguresCommand {
  readonly op: "figures";
  readonly series?: string;
  /** Say it so that it can be added to what others have. */
  readonly histogram?: boolean;
  /** Forget the latencies afterwards. */
  readonly forget?: boolean;
}

export type LoadCommand = RunCommand | FiguresCommand;

/** What a round came to; the answer to `run`. */
export interface Round {
  /** That returned within the time. */
  readonly calls: number;
  readonly seconds: number;
  /** With `rate`: calls that were due and not made, since `inFlight` were under way. */
  readonly shed?: number;
}

/** The answer to `run` with the median of this round's latencies. */
export interface RoundReply extends Round {
  readonly p50Us: number | null;
}

/** The answer to `figures`. */
export interface FiguresReply extends SampleFigures {
  /** When it was asked for: see `histogram.ts`. */
  readonly histogram?: readonly (readonly [bucket: number, count: number])[];
}

/** What ends a program, as a line on its stdin. */
export const endLine = "end";
