/** Finds the experiments and reads their `experiment.toml`. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { KoalaError } from "@koala/interface";
import { suggest } from "../suggestion.ts";
import type { Experiment, PlotSpec, TargetSpec } from "./experiment.ts";
import { type Fields, readFields } from "./fields.ts";

const code = "ERR_EVAL_FILE";
const fileName = "experiment.toml";
const roundsMax = 1000;
const secondsMax = 3600;

/** All experiments of a folder, in the order of their numbers. */
export function readExperiments(folder: string): readonly Experiment[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const found = names.filter((name) => existsSync(join(folder, name, fileName))).sort();
  const numbered = found.map((name) => {
    const path = join(folder, name, fileName);
    return readExperiment(name, `eval/${name}/${fileName}`, readFileSync(path, "utf8"));
  });
  return numbered.sort((a, b) => a.number - b.number).map(({ experiment }) => experiment);
}

/** Those that are asked for by name, or all; `ERR_EVAL_USAGE` for a name that there is not. */
export function chooseExperiments(
  all: readonly Experiment[],
  names: readonly string[],
): readonly Experiment[] {
  const known = all.map(({ name }) => name);
  for (const name of names) {
    if (known.includes(name)) continue;
    const near = suggest(name, known);
    const hint = near === undefined ? "" : ` Did you mean "${near}"?`;
    throw new KoalaError(
      "ERR_EVAL_USAGE",
      `unknown experiment "${name}".${hint} There are: ${known.join(", ")}`,
    );
  }
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

/** Reads one; `ERR_EVAL_FILE` says what is wrong with it. */
export function readExperiment(
  name: string,
  file: string,
  text: string,
): { number: number; experiment: Experiment } {
  const fields = readFields(code, file, text);
  const number = fields.number("number", { whole: true });
  const experiment: Experiment = {
    name,
    title: fields.text("title"),
    question: fields.text("question"),
    kind: fields.text("kind"),
    systems: fields.texts("systems", []),
    grid: fields.parameterLists("grid"),
    rounds: fields.number("rounds", { min: 1, max: roundsMax, whole: true, otherwise: 5 }),
    roundSeconds: fields.number("round_seconds", { min: 0.05, max: secondsMax, otherwise: 1 }),
    limitSeconds: fields.number("limit_seconds", { min: 1, max: secondsMax, otherwise: 100 }),
    plots: fields.tables("plot").map(readPlot),
    targets: fields.tables("target").map(readTarget),
    settings: fields.anything("settings"),
  };
  fields.end();
  return { number, experiment };
}

function readPlot(fields: Fields): PlotSpec {
  const scales = ["linear", "log"] as const;
  const plot: PlotSpec = {
    title: fields.text("title"),
    form: fields.word("form", ["line", "bar", "stack", "time"]),
    x: fields.text("x"),
    y: fields.text("y"),
    xTitle: fields.text("x_title"),
    yTitle: fields.text("y_title"),
    xScale: fields.word("x_scale", scales, "linear"),
    yScale: fields.word("y_scale", scales, "linear"),
    where: fields.parameters("where"),
    systems: fields.texts("systems", []),
  };
  fields.end();
  return plot;
}

function readTarget(fields: Fields): TargetSpec {
  const atMost = fields.optionalNumber("at_most");
  const atLeast = fields.optionalNumber("at_least");
  const target: TargetSpec = {
    figure: fields.text("figure"),
    system: fields.text("system"),
    against: fields.text("against"),
    where: fields.parameters("where"),
    ...(atMost === undefined ? {} : { atMost }),
    ...(atLeast === undefined ? {} : { atLeast }),
  };
  fields.end();
  if ((atMost === undefined) === (atLeast === undefined)) {
    throw fields.error("a target has either at_most or at_least");
  }
  return target;
}
