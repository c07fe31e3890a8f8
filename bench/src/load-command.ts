/**
 * What the main program and a load program say to each other: lines of JSON over stdin and stdout. A load
 * program prints `{"ready":true}` first, answers each command with one line, and ends when it is told
 * `end` or its stdin ends.
 */
import type { LoadMethod } from "./case.ts";
import type { SampleFigures } from "./samples.ts";

/** Call for so long. */
export interface RunCommand {
  readonly op: "run";
  readonly method: LoadMethod;
  readonly bytes: number;
  /** Goes beside the payload of `echo`. */
  readonly text?: string | undefined;
  readonly inFlight: number;
  readonly seconds: number;
  /** False for the warm-up: latencies are not kept. */
  readonly keep: boolean;
  /** What the latencies belong to, where one client serves several systems. */
  readonly series?: string;
}

/** Say what the kept latencies came to. */
export interface FiguresCommand {
  readonly op: "figures";
  readonly series?: string;
}

export type LoadCommand = RunCommand | FiguresCommand;

/** What a round came to; the answer to `run`. */
export interface Round {
  readonly calls: number;
  readonly seconds: number;
}

/** The answer to `run` with the median of this round's latencies. */
export interface RoundReply extends Round {
  readonly p50Us: number | null;
}

/** The answer to `figures`. */
export type FiguresReply = SampleFigures;

/** What ends a program, as a line on its stdin. */
export const endLine = "end";
