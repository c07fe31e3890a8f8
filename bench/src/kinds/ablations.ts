/**
 * The kind `ablations`: Koala with all its mechanisms, and without each of them in turn, under several loads.
 * The systems differ in one variable of their programs' environment and in nothing else.
 */
import { KoalaError } from "@koala/interface";
import type { Experiment } from "../launcher/experiment.ts";
import type { ExperimentContext, ExperimentKind } from "../launcher/kind.ts";
import type { Stage } from "../processes/stage.ts";
import { startApps, startHost } from "../systems/koala.ts";
import type { System } from "../systems/system.ts";
import { loadKind } from "./load.ts";

const mechanisms = ["spinning", "batching", "bundling", "gathering"];
const methods = ["echo", "put"] as const;

/** One of `[[settings.loads]]`. */
interface NamedLoad {
  readonly name: string;
  readonly method: (typeof methods)[number];
  readonly bytes: number;
  readonly inFlight: number;
}

/** Two daemons, linked over TCP; all four programs have the variables. */
function linkedWithout(
  mechanism: string,
  env: Readonly<Record<string, string>> = { KOALA_WITHOUT: mechanism },
): System {
  const name = `without-${mechanism}`;
  return {
    name,
    title: `koala-tcp without ${mechanism}`,
    cases: [],
    byDefault: false,
    floors: {},
    plain: "koala-tcp",
    start: async (stage) => {
      const far = await startHost(stage, `${name} daemon B`, [], "", env);
      const near = await startHost(stage, `${name} daemon A`, [far], "", env);
      return startApps(stage, name, near, far, [], env);
    },
  };
}

/** What trace points that note nothing cost: all programs load Koala's modules without them. */
const withoutTracePoints = linkedWithout("trace-points", {
  NODE_OPTIONS: `--import ${new URL("../trace/without-trace-points.js", import.meta.url).href}`,
});

export const ablationsKind: ExperimentKind = {
  name: "ablations",
  systems: [...mechanisms.map((each) => linkedWithout(each)), withoutTracePoints],
  run: async (context) => {
    const loads = readLoads(context.experiment);
    for (const method of methods) {
      const chosen = loads.filter((load) => load.method === method);
      if (chosen.length > 0 && !context.signal.aborted) await runLoads(context, method, chosen);
    }
  },
};

/** The loads of one method, which is what the kind `load` takes at once. */
async function runLoads(
  context: ExperimentContext,
  method: string,
  loads: readonly NamedLoad[],
): Promise<void> {
  const { experiment } = context;
  const { warmUpSeconds } = experiment.settings;
  const [first, ...rest] = loads.map(({ bytes, inFlight }) => ({ bytes, inFlight }));
  // The points of a load come behind those of its grid, which is never empty.
  const grid = { bytes: [first!.bytes], inFlight: [first!.inFlight] };
  const stages: Stage[] = [];
  await loadKind.run({
    ...context,
    experiment: { ...experiment, grid, settings: { method, points: rest, warmUpSeconds } },
    stage: () => {
      const stage = context.stage();
      stages.push(stage);
      return stage;
    },
    emit: (line) => {
      const { bytes, inFlight } = line.parameters;
      const load = loads.find((each) => each.bytes === bytes && each.inFlight === inFlight);
      const parameters = load === undefined ? {} : { load: load.name };
      context.emit({ ...line, parameters: { ...parameters, ...line.parameters } });
    },
  });
  // Their memory is needed for the next ones.
  for (const stage of stages) await stage.close();
}

function readLoads({ name: experiment, settings }: Experiment): readonly NamedLoad[] {
  const wrong = (what: string): KoalaError =>
    new KoalaError("ERR_EVAL_SETTINGS", `eval/${experiment}/experiment.toml: ${what}`);
  const { loads, warmUpSeconds, ...rest } = settings;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw wrong(`settings of ablations are loads, warm_up_seconds; found "${unknown}"`);
  }
  if (warmUpSeconds !== undefined && typeof warmUpSeconds !== "number") {
    throw wrong("settings.warm_up_seconds is a number");
  }
  if (!Array.isArray(loads) || loads.length === 0)
    throw wrong("settings.loads is a list of tables");
  for (const { name, method, bytes, inFlight } of loads as readonly Record<string, unknown>[]) {
    if (typeof name !== "string") throw wrong("each of settings.loads has a name");
    if (!methods.some((known) => known === method)) {
      throw wrong(`the load "${name}" has the method ${methods.join(" or ")}`);
    }
    if (typeof bytes !== "number" || typeof inFlight !== "number") {
      throw wrong(`the load "${name}" has the numbers bytes and in_flight`);
    }
  }
  return loads as NamedLoad[];
}
