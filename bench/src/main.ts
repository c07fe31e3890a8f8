/** The benchmark: `npm run -s bench -- --help`. Results go to stdout, everything else to stderr. */
import { KoalaError, messageOf } from "@koala/interface";
import {
  caseNames,
  changeCaseName,
  layoutCaseName,
  loadCases,
  memoryCaseName,
  queueCaseName,
} from "./cases/case.ts";
import { measureCase } from "./cases/measure-case.ts";
import { changeNames, measureChanges } from "./cases/measure-changes.ts";
import { layoutSystemNames, measureLayout } from "./cases/measure-layout.ts";
import { measureMemory, memoryNames } from "./cases/measure-memory.ts";
import { measureQueues, queueSystemNames } from "./cases/measure-queues.ts";
import { fullWarmUp, quickWarmUp } from "./cases/warm-up.ts";
import type { Result } from "./figures/result.ts";
import { renderTable } from "./figures/table.ts";
import { type Options, parseOptions, usage } from "./options.ts";
import { createProfileFolder, renderProfiles } from "./processes/profile.ts";
import { Stage } from "./processes/stage.ts";
import { loadSystems, systemGroups } from "./systems/catalog.ts";
import type { System } from "./systems/system.ts";

const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

let stage: Stage | undefined;
let interrupted = false;

function progress(what: string): void {
  process.stderr.write(`bench: ${what}\n`);
}

/** Everything is ended in order, then the program ends as such signals end programs. */
function stopOnSignals(): void {
  for (const [signal, number] of Object.entries(signals)) {
    process.on(signal, () => {
      if (interrupted) return;
      interrupted = true;
      progress("stopping");
      const closed = stage?.abort() ?? Promise.resolve();
      void closed.finally(() => process.exit(128 + number));
    });
  }
}

function readOptions(): Options {
  return parseOptions(process.argv.slice(2), {
    cases: caseNames,
    systems: [
      ...loadSystems().map(({ name }) => name),
      ...changeNames,
      ...memoryNames,
      ...layoutSystemNames,
      ...queueSystemNames,
    ],
    groups: systemGroups,
  });
}

function chosenSystems({ systems: asked, profile }: Options, caseName: string): System[] {
  const names = profile === undefined ? asked : [profile];
  return loadSystems().filter(
    ({ name, cases, byDefault }) =>
      cases.includes(caseName) && (names === undefined ? byDefault : names.includes(name)),
  );
}

function print(title: string, results: readonly Result[], json: boolean): void {
  const text = json
    ? results.map((result) => `${JSON.stringify(result)}\n`).join("")
    : `${title}\n\n${renderTable(results)}\n\n`;
  process.stdout.write(text);
}

/** Nothing to do is a mistake of who asked, not a success. */
function checkChoice(options: Options): void {
  const asked = options.profile === undefined ? options.systems : [options.profile];
  const takesLoad = options.cases.some((name) => chosenSystems(options, name).length > 0);
  const takesLayout =
    options.profile === undefined &&
    options.cases.includes(layoutCaseName) &&
    layoutSystemNames.some((name) => asked === undefined || asked.includes(name));
  const takesChanges =
    options.profile === undefined &&
    options.cases.includes(changeCaseName) &&
    changeNames.some((name) => asked === undefined || asked.includes(name));
  const takesMemory =
    options.profile === undefined &&
    options.cases.includes(memoryCaseName) &&
    memoryNames.some((name) => asked === undefined || asked.includes(name));
  const takesQueues =
    options.profile === undefined &&
    options.cases.includes(queueCaseName) &&
    queueSystemNames.some((name) => asked === undefined || asked.includes(name));
  if (takesQueues) return;
  if (takesLoad || takesLayout || takesChanges || takesMemory) return;
  throw new KoalaError(
    "ERR_BENCH_USAGE",
    `nothing to measure: ${asked?.join(", ")} does not take part in ${options.cases.join(", ")}; ` +
      "bench/README.md says which system has which cases",
  );
}

async function runLoadCases(options: Options): Promise<void> {
  const plan = {
    rounds: options.rounds,
    roundSeconds: options.seconds / options.rounds,
    warmUp: options.quick ? quickWarmUp : fullWarmUp,
  };
  for (const loadCase of loadCases.filter(({ name }) => options.cases.includes(name))) {
    const chosen = chosenSystems(options, loadCase.name);
    if (chosen.length === 0) continue;
    const profiles = options.profile === undefined ? undefined : createProfileFolder();
    stage = new Stage(profiles);
    const results = await measureCase(stage, loadCase, chosen, plan, progress);
    await stage.close();
    print(`${loadCase.name}: ${loadCase.title}`, results, options.json);
    if (profiles !== undefined) process.stderr.write(renderProfiles(profiles));
  }
}

async function runChanges(options: Options): Promise<void> {
  const { cases, systems: asked, profile, quick } = options;
  if (!cases.includes(changeCaseName) || profile !== undefined) return;
  const names = changeNames.filter((name) => asked === undefined || asked.includes(name));
  if (names.length === 0) return;
  stage = new Stage();
  const results = await measureChanges(stage, names, quick, progress);
  await stage.close();
  const title = "gaps between replies, 32 B there and back, 128 in flight, one daemon";
  print(`${changeCaseName}: ${title}`, results, options.json);
}

async function runMemory(options: Options): Promise<void> {
  const { cases, systems: asked, profile, quick } = options;
  if (!cases.includes(memoryCaseName) || profile !== undefined) return;
  const names = memoryNames.filter((name) => asked === undefined || asked.includes(name));
  if (names.length === 0) return;
  stage = new Stage();
  const results = await measureMemory(stage, names, quick, progress);
  await stage.close();
  print(`${memoryCaseName}: connections of apps that do nothing`, results, options.json);
}

function runLayout(options: Options): void {
  const { cases, systems: asked, profile } = options;
  if (!cases.includes(layoutCaseName) || profile !== undefined) return;
  if (asked !== undefined && !layoutSystemNames.some((name) => asked.includes(name))) return;
  progress(`${layoutCaseName}: measuring in this process`);
  const results = measureLayout(options).filter(
    ({ system }) => asked === undefined || asked.includes(system),
  );
  print(`${layoutCaseName}: a message written and read`, results, options.json);
}

async function runQueues(options: Options): Promise<void> {
  const { cases, systems: asked, profile, affinity } = options;
  if (!cases.includes(queueCaseName) || profile !== undefined) return;
  const names = queueSystemNames.filter((name) => asked === undefined || asked.includes(name));
  if (names.length === 0) return;
  stage = new Stage();
  const results = await measureQueues(stage, names, options, progress);
  await stage.close();
  if (typeof results === "string") {
    progress(`${queueCaseName}: nothing to measure with --affinity ${affinity}: ${results}`);
    return;
  }
  const title = `64 B between the ends of a pair, affinity ${affinity}; a call is a message`;
  print(`${queueCaseName}: ${title}`, results, options.json);
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  checkChoice(options);
  stopOnSignals();
  await runLoadCases(options);
  await runChanges(options);
  await runMemory(options);
  runLayout(options);
  await runQueues(options);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  // While it is being interrupted, programs that end are no failure; the signal's handler ends this one.
  if (!interrupted) {
    if (stage !== undefined) process.stderr.write(stage.tails());
    await stage?.abort();
    process.stderr.write(`bench: ${messageOf(error)}\n`);
    const misused = error instanceof KoalaError && error.code === "ERR_BENCH_USAGE";
    process.exitCode = misused ? 2 : 1;
  }
}
