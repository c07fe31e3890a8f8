/**
 * The kind `queues`: what two threads or processes can exchange through Koala's rings, and through what Node and the kernel have.
 * The systems are queues; they take turns, tied to processors in different ways.
 */
import { KoalaError } from "@koala/interface";
import type { ExperimentContext, ExperimentKind } from "../launcher/kind.ts";
import type { Program } from "../processes/program.ts";
import { affinities } from "../queues/places.ts";
import { queueModes, queueSubjects } from "../queues/queue-plan.ts";
import { type QueuePoint, takeTurns } from "../queues/take-turns.ts";
import type { System } from "../systems/system.ts";

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
  systems: queueSubjects.map(({ name }) => queueSystem(name)),
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

async function measure(
  context: ExperimentContext,
  program: Program,
  point: QueuePoint,
): Promise<void> {
  const { emit, experiment, quick, progress, signal } = context;
  const { mode, affinity, pairs } = point;
  const parameters = { mode, affinity, pairs };
  const subjects = context.systems.map(
    ({ name }) => queueSubjects.find((subject) => subject.name === name)!,
  );
  progress(`${mode}, affinity ${affinity}, ${pairs} pairs`);
  const found = await takeTurns(program, subjects, point, {
    rounds: quick ? 1 : experiment.rounds,
    roundSeconds: quick ? quickSeconds : experiment.roundSeconds,
    signal,
  });
  if (typeof found === "string") {
    for (const { name } of subjects)
      emit({ system: name, parameters, skipped: found, figures: {} });
    return;
  }
  for (const { name, perSecond, messagesPerSecond, p50Us, p99Us, wrongMessages } of found) {
    emit({
      system: name,
      parameters,
      figures: { messagesPerSecond, p50Us, p99Us, wrongMessages },
      rounds: { messagesPerSecond: perSecond },
    });
  }
}

function readPoints({ experiment }: ExperimentContext): QueuePoint[] {
  const { name, grid, settings, systems } = experiment;
  const wrong = (what: string): KoalaError =>
    new KoalaError("ERR_EVAL_SETTINGS", `eval/${name}/experiment.toml: ${what}`);
  const other = systems.find((system) => !queueSubjects.some(({ name }) => name === system));
  if (other !== undefined) {
    const names = queueSubjects.map(({ name }) => name);
    throw wrong(`systems are ${names.join(", ")}; found "${other}"`);
  }
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
      pairs.map((count): QueuePoint => {
        if (typeof count !== "number" || count < 1 || count > pairsMax || count % 1 !== 0) {
          throw wrong(`pairs are whole numbers from 1 to ${pairsMax}; found ${count}`);
        }
        return { mode: known(m, queueModes), affinity: known(a, affinities), pairs: count };
      }),
    ),
  );
}
