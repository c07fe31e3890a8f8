/** What experiments with many connections say: how many there are, and which calls are made. */
import { KoalaError } from "@koala/interface";
import type { Experiment } from "../launcher/experiment.ts";
import { type LoadPoint, readLoad } from "./load-grid.ts";

const quickMax = 10;

/** The numbers of a parameter of the grid, ascending; a quick run has one that is small. */
export function levelsOf(
  { name, grid }: Experiment,
  parameter: string,
  isQuick: boolean,
): readonly number[] {
  const values = grid[parameter] ?? [];
  const levels = values.filter((value) => typeof value === "number" && Number.isInteger(value));
  if (values.length === 0 || levels.length < values.length) {
    throw new KoalaError(
      "ERR_EVAL_SETTINGS",
      `eval/${name}/experiment.toml: expected whole numbers in grid.${parameter}, found ${JSON.stringify(values)}`,
    );
  }
  const ascending = levels.map(Number).sort((a, b) => a - b);
  if (!isQuick) return ascending;
  return ascending.filter((level) => level <= quickMax).slice(-1);
}

/** The `points` of the settings, as the kind `load` has them. */
export function pointsOf(experiment: Experiment): readonly LoadPoint[] {
  const { points = [] } = experiment.settings;
  if (Array.isArray(points) && points.length === 0) return [];
  const { points: read } = readLoad({ ...experiment, grid: {}, settings: { points } });
  // The first is what a grid without anything stands for.
  return read.slice(1);
}
