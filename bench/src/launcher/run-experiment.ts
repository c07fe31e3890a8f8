/** Runs one experiment: finds its systems, keeps its time, ends what it has started. */
import { setTimeout } from "node:timers/promises";
import { KoalaError } from "@koala/interface";
import { kinds } from "../kinds/catalog.ts";
import { findPeer } from "../peers/find-peer.ts";
import { Stage } from "../processes/stage.ts";
import { suggest } from "../suggestion.ts";
import { loadSystems } from "../systems/catalog.ts";
import type { System } from "../systems/system.ts";
import type { Experiment } from "./experiment.ts";
import type { ExperimentContext, ExperimentKind } from "./kind.ts";
import { reasonOf } from "./reason.ts";
import type { ResultLine } from "./result-line.ts";

/** What an experiment is run with. */
export interface RunOptions {
  readonly quick: boolean;
  /** Aborted when the user has enough. */
  readonly signal: AbortSignal;
  readonly emit: (line: ResultLine) => void;
  readonly progress: (what: string) => void;
}

/** So long a kind may take to notice that its programs have been ended. */
const settleMs = 10_000;

/** What the names in an experiment stand for. */
export interface Resolved {
  readonly kind: ExperimentKind;
  readonly systems: readonly System[];
}

/** Looks the names up; `ERR_EVAL_FILE` for those that there are not. */
export function resolveExperiment(experiment: Experiment): Resolved {
  const file = `eval/${experiment.name}/experiment.toml`;
  const kind = named(file, "kind", experiment.kind, kinds);
  const all = [...(kind.systems ?? []), ...loadSystems()];
  return { kind, systems: experiment.systems.map((name) => named(file, "system", name, all)) };
}

/** Runs it; false when something broke. */
export async function runExperiment(
  experiment: Experiment,
  options: RunOptions,
  { kind, systems }: Resolved = resolveExperiment(experiment),
): Promise<boolean> {
  const { name, limitSeconds } = experiment;
  const seen = new Set<string>();
  const emit = (line: Omit<ResultLine, "experiment">): void => {
    seen.add(line.system);
    options.emit({ experiment: name, ...line });
  };
  const skip = (system: string, sentence: string): void => {
    options.progress(`${name}: ${system} is skipped: ${sentence}`);
    emit({ system, parameters: {}, skipped: sentence, figures: {} });
  };
  const present: System[] = [];
  for (const system of systems) {
    const missing = await missingFor(system);
    if (missing === undefined) present.push(system);
    else skip(system.name, missing);
  }

  const limit = new AbortController();
  const signal = AbortSignal.any([options.signal, limit.signal]);
  const stages: Stage[] = [];
  let broken = false;
  const context: ExperimentContext = {
    experiment,
    systems: present,
    quick: options.quick,
    signal,
    emit,
    covered: (system) => void seen.add(system),
    skip,
    stage: () => {
      const stage = new Stage();
      stages.push(stage);
      // After the end of time nothing is started any more.
      if (signal.aborted) void stage.abort();
      return stage;
    },
    progress: (what) => options.progress(`${name}: ${what}`),
    failed: (system, error, tails) => {
      broken = true;
      options.progress(`${tails}${name}: ${system} failed: ${reasonOf(error)}`);
    },
  };
  const abortStages = (): void => {
    for (const stage of stages) void stage.abort();
  };
  signal.addEventListener("abort", abortStages, { once: true });
  const timer = globalThis.setTimeout(() => limit.abort(), limitSeconds * 1000);
  let sentence = "the experiment has no figures of it";
  try {
    await settled(kind.run(context), signal);
  } catch (error) {
    if (!signal.aborted) {
      broken = true;
      for (const stage of stages) options.progress(stage.tails());
      options.progress(`${name}: failed: ${reasonOf(error)}`);
      sentence = `the experiment failed: ${reasonOf(error)}`;
    }
  } finally {
    clearTimeout(timer);
    await Promise.all(stages.map((stage) => (signal.aborted ? stage.abort() : stage.close())));
  }
  if (options.signal.aborted) sentence = "the run was interrupted";
  else if (limit.signal.aborted) {
    sentence = `the experiment's limit of ${limitSeconds} s was over`;
    options.progress(`${name}: ${sentence}`);
  }
  for (const system of present) if (!seen.has(system.name)) skip(system.name, sentence);
  return !broken;
}

/** Why a system can't be started here; undefined when it can. */
async function missingFor({ needs = [] }: System): Promise<string | undefined> {
  for (const need of needs) {
    const found = await findPeer(need).find();
    if ("missing" in found) return found.missing;
  }
  return undefined;
}

/** Waits for the kind; not for ever once it has been told to end. */
async function settled(run: Promise<void>, signal: AbortSignal): Promise<void> {
  const over = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () =>
      resolve(setTimeout(settleMs, undefined, { ref: false })),
    );
  });
  await Promise.race([run, over]);
}

function named<T extends { readonly name: string }>(
  file: string,
  what: string,
  name: string,
  all: readonly T[],
): T {
  const found = all.find((each) => each.name === name);
  if (found !== undefined) return found;
  const names = all.map((each) => each.name);
  const near = suggest(name, names);
  const hint = near === undefined ? "" : ` Did you mean "${near}"?`;
  throw new KoalaError(
    "ERR_EVAL_FILE",
    `${file}: there is no ${what} "${name}".${hint} There are: ${names.join(", ")}`,
  );
}
