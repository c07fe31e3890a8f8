/** The main part of every load program: takes commands from stdin until the end. */
import { createInterface } from "node:readline";
import { Samples } from "../figures/samples.ts";
import {
  endLine,
  type FiguresCommand,
  type FiguresReply,
  type LoadCommand,
  type Round,
  type RunCommand,
} from "./load-command.ts";

/** Makes the calls of one round, and adds their latencies to `samples`. */
export type RunRound = (command: RunCommand, samples: Samples) => Promise<Round>;

/** Says that the program is ready, obeys, and returns when it is told to end. */
export async function obeyCommands(runRound: RunRound): Promise<void> {
  const bySeries = new Map<string, Samples>();
  const samplesOf = ({ series = "" }: LoadCommand): Samples => {
    let samples = bySeries.get(series);
    if (samples === undefined) {
      samples = new Samples();
      bySeries.set(series, samples);
    }
    return samples;
  };
  const answer = async (command: LoadCommand): Promise<object> => {
    const samples = samplesOf(command);
    if (command.op === "figures") return answerFigures(samples, command);
    samples.keep = command.keep;
    const round = await runRound(command, samples);
    return { ...round, p50Us: samples.endRound() };
  };
  say({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === endLine) break;
    say(await answer(JSON.parse(line) as LoadCommand));
  }
  // An open stdin would keep the process alive.
  process.stdin.destroy();
}

function answerFigures(samples: Samples, { histogram, forget }: FiguresCommand): FiguresReply {
  const figures = samples.figures();
  const reply = histogram === true ? { ...figures, histogram: samples.histogram() } : figures;
  if (forget === true) samples.forget();
  return reply;
}

/** Resolves when a program without commands, a server, is told to end. */
export async function waitForEnd(): Promise<void> {
  for await (const _line of createInterface({ input: process.stdin })) break;
  process.stdin.destroy();
}

/** Prints a line for the main program. */
export function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}
