/**
 * The kind `queues`: what two threads can exchange through Koala's rings, and through what Node and the kernel have.
 * The systems are queues; they take turns, tied to processors in different ways.
 */
import { KoalaError } from "@koala/interface";
import type { ExperimentContext, ExperimentKind } from "../launcher/kind.ts";
import type { Program } from "../program.ts";
import { type Affinity, affinities, placesOf, readMachine } from "../queues/places.ts";
import { type QueueMode, type QueueName, queueModes, queueNames } from "../queues/queue-plan.ts";
import type { PairsCommand, PairsReply } from "../queues/run-pairs.ts";
import { median, sum } from "../statistics.ts";
import type { System } from "../systems/system.ts";

/** What is varied. */
interface Point {
  readonly mode: QueueMode;
  readonly affinity: Affinity;
  readonly pairs: number;
}

const quickSeconds = 0.05;
const pairsMax = 64;

function queueSystem(name: string): System {
  return {
    name,
    cases: [],
    byDefault: false,
    floors: {},
    start: () =>
      Promise.reject(new KoalaError("ERR_EVAL_SETTINGS", `${name} is a queue: it takes no calls`)),
  };
}

export const queuesKind: ExperimentKind = {
  name: "queues",
  systems: queueNames.map(queueSystem),
  run: async (context) => {
    const points = readPoints(context);
    const program = context.stage().start("queues.js", { name: "queues" });
    await program.ready();
    for (const point of context.quick ? points.slice(0, 2) : points) {
      if (context.signal.aborted) return;
      await measure(context, program, point);
    }
  },
};

async function measure(context: ExperimentContext, program: Program, point: Point): Promise<void> {
  const { emit, experiment, quick, progress, signal } = context;
  const { mode, affinity, pairs } = point;
  const parameters = { mode, affinity, pairs };
  const cpus = placesOf(affinity, pairs, readMachine());
  if (typeof cpus === "string") {
    for (const { name } of context.systems)
      emit({ system: name, parameters, skipped: cpus, figures: {} });
    return;
  }
  progress(`${mode}, affinity ${affinity}, ${pairs} pairs`);
  const seconds = quick ? quickSeconds : experiment.roundSeconds;
  const rounds = context.systems.map((): PairsReply[] => []);
  for (let round = 0; round < (quick ? 1 : experiment.rounds); round++) {
    for (const [i, { name }] of context.systems.entries()) {
      if (signal.aborted) return;
      const command: PairsCommand = { queue: name as QueueName, mode, cpus, seconds };
      rounds[i]!.push((await program.ask(command, seconds * 1000)) as PairsReply);
    }
  }
  for (const [i, { name }] of context.systems.entries()) {
    const row = (of: (reply: PairsReply) => number | null): number[] =>
      rounds[i]!.map(of).filter((value) => value !== null);
    const perSecond = row((reply) => reply.messagesPerSecond);
    emit({
      system: name,
      parameters,
      figures: {
        messagesPerSecond: median(perSecond),
        p50Us: median(row(({ p50Us }) => p50Us)),
        p99Us: median(row(({ p99Us }) => p99Us)),
        wrongMessages: sum(row(({ wrong }) => wrong)),
      },
      rounds: { messagesPerSecond: perSecond },
    });
  }
}

function readPoints({ experiment }: ExperimentContext): Point[] {
  const { name, grid, settings, systems } = experiment;
  const wrong = (what: string): KoalaError =>
    new KoalaError("ERR_EVAL_SETTINGS", `eval/${name}/experiment.toml: ${what}`);
  const other = systems.find((system) => !queueNames.some((queue) => queue === system));
  if (other !== undefined) throw wrong(`systems are ${queueNames.join(", ")}; found "${other}"`);
  const [unknown] = Object.keys(settings);
  if (unknown !== undefined) throw wrong(`there are no settings of queues; found "${unknown}"`);
  const { mode = queueModes, affinity = ["none"], pairs = [1], ...rest } = grid;
  const [stranger] = Object.keys(rest);
  if (stranger !== undefined)
    throw wrong(`the grid has mode, affinity, pairs; found "${stranger}"`);
  const known = <T extends string>(word: string | number, words: readonly T[]): T => {
    const found = words.find((each) => each === word);
    if (found === undefined) throw wrong(`"${word}" is none of ${words.join(", ")}`);
    return found;
  };
  return mode.flatMap((m) =>
    affinity.flatMap((a) =>
      pairs.map((count): Point => {
        if (typeof count !== "number" || count < 1 || count > pairsMax || count % 1 !== 0) {
          throw wrong(`pairs are whole numbers from 1 to ${pairsMax}; found ${count}`);
        }
        return { mode: known(m, queueModes), affinity: known(a, affinities), pairs: count };
      }),
    ),
  );
}
