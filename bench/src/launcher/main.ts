/** The launcher of experiments: `npm run eval -- --help`. Progress goes to stderr, results into files. */
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { KoalaError, messageOf } from "@koala/interface";
import { peers } from "../peers/catalog.ts";
import { publish, renderReport } from "../report/render-report.ts";
import { type Arguments, parseArguments, usage } from "./arguments.ts";
import { readEnvironment } from "./environment.ts";
import type { Experiment } from "./experiment.ts";
import { chooseExperiments, readExperiments } from "./read-experiment.ts";
import { findResults, ResultsFile } from "./results-file.ts";
import { resolveExperiment, runExperiment } from "./run-experiment.ts";
import { RunScope } from "./run-scope.ts";

const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
const repository = fileURLToPath(new URL("../../..", import.meta.url));

const interrupt = new AbortController();
/** 128 and the number of the signal, once there was one. */
let interruptedCode = 0;

/** With the seconds since the program was started. */
function progress(what: string): void {
  process.stderr.write(`eval ${process.uptime().toFixed(0).padStart(4)} s: ${what}\n`);
}

function stopOnSignals(): void {
  for (const [signal, number] of Object.entries(signals)) {
    process.on(signal, () => {
      if (interruptedCode !== 0) return;
      interruptedCode = 128 + number;
      progress("stopping");
      interrupt.abort();
    });
  }
}

/** Versions of what the experiments need, or why it is missing. */
async function versionsFor(experiments: readonly Experiment[]): Promise<Record<string, string>> {
  const needs = new Set(
    experiments.flatMap((each) =>
      resolveExperiment(each).systems.flatMap((system) => system.needs ?? []),
    ),
  );
  const versions: Record<string, string> = {};
  for (const peer of peers.filter(({ name }) => needs.has(name))) {
    progress(`looking for ${peer.name}`);
    const found = await peer.find();
    versions[peer.name] = "missing" in found ? found.missing : found.version;
  }
  return versions;
}

/** Runs the experiments one after the other; true when nothing broke. */
async function measure(
  { quick }: Arguments,
  experiments: readonly Experiment[],
  results: string,
): Promise<{ file: ResultsFile; well: boolean }> {
  const environment = readEnvironment(repository, quick, await versionsFor(experiments));
  const file = new ResultsFile(results, environment);
  let well = true;
  for (const [index, experiment] of experiments.entries()) {
    if (interrupt.signal.aborted) break;
    progress(`${experiment.name} (${index + 1} of ${experiments.length}): ${experiment.title}`);
    const ranWell = await runExperiment(experiment, {
      quick,
      signal: interrupt.signal,
      emit: (line) => file.write(line),
      progress,
    });
    well &&= ranWell;
  }
  return { file, well };
}

/** Renders what a run has measured, and makes it the published one when that is asked for. */
async function report(
  file: string,
  folder: string,
  given: Arguments,
  experiments: readonly Experiment[],
): Promise<void> {
  const target = join(folder, "results", basename(file, ".jsonl"));
  progress(`report: ${await renderReport(file, experiments, target)}`);
  // Of those that were not run, what was published before is shown.
  if (given.publish) {
    progress(`published: ${await publish(file, readExperiments(folder), folder)}`);
  }
}

async function main(): Promise<number> {
  const given = parseArguments(process.argv.slice(2));
  if (given.help) {
    process.stdout.write(usage);
    return 0;
  }
  const folder = given.folder ?? join(repository, "eval");
  const experiments = chooseExperiments(readExperiments(folder), given.names);
  if (experiments.length === 0) {
    throw new KoalaError("ERR_EVAL_USAGE", `there are no experiments in ${folder}`);
  }
  const results = join(folder, "results");
  if (given.render !== undefined) {
    await report(findResults(results, given.render), folder, given, experiments);
    return 0;
  }
  // Before anything is measured, so that a wrong name does not come out after a quarter of an hour.
  experiments.forEach(resolveExperiment);
  stopOnSignals();
  const scope = await RunScope.open();
  try {
    const { file, well } = await measure(given, experiments, results);
    progress(`results: ${file.path}`);
    await report(file.path, folder, given, experiments);
    return interruptedCode === 0 ? Number(!well) : interruptedCode;
  } finally {
    const left = await scope.close();
    if (left > 0) progress(`${left} processes had to be ended`);
  }
}

// The guard ends what was started.
process.on("uncaughtException", (error) => {
  process.stderr.write(`eval: ${error.stack ?? messageOf(error)}\n`);
  process.exit(1);
});

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`eval: ${messageOf(error)}\n`);
  const isMisuse =
    error instanceof KoalaError && ["ERR_EVAL_USAGE", "ERR_EVAL_FILE"].includes(error.code);
  process.exitCode = isMisuse ? 2 : 1;
}
