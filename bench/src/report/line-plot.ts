/** Lines over a parameter, with their names at their right ends. */
import type { PlotSpec } from "../launcher/experiment.ts";
import type { ResultLine } from "../launcher/result-line.ts";
import { type Axis, axisOf, parameterAxis, positionOn } from "./axis.ts";
import { stylesOf } from "./palette.ts";
import { labelOf, spreadOf, valuesOf, variedIn } from "./selection.ts";

const width = 560;
const height = 340;
const labelHeight = 15;
/** For lines of one system that differ in a further parameter. */
const furtherDashes: readonly (readonly number[])[] = [[], [8, 3], [2, 3], [8, 3, 2, 3], [1, 5]];

interface Point {
  readonly label: string;
  readonly x: number | string;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
}

/** The layers of vega-lite; undefined when nothing can be seen on the axes that are asked for. */
export function linePlot(plot: PlotSpec, lines: readonly ResultLine[]): object | undefined {
  const told = variedIn(lines).filter((name) => name !== plot.x);
  const points = pointsOf(plot, lines, told);
  if (points.length === 0) return undefined;
  const labels = [...new Set(points.map(({ label }) => label))];
  const yAxis = axisOf(
    plot.y,
    plot.yScale,
    points.flatMap(({ y, low = y, high = y }) => [y, low, high]),
  );
  const looks = looksOf(lines, told);
  const color = {
    field: "label",
    type: "nominal",
    scale: { domain: labels, range: labels.map((label) => looks.get(label)!.color) },
    legend: null,
  };
  const strokeDash = {
    field: "label",
    type: "nominal",
    scale: {
      domain: labels,
      range: labels.map((label) => [
        ...looks.get(label)!.dash,
        ...(looks.get(label)!.dash.length === 0 ? [1, 0] : []),
      ]),
    },
    legend: null,
  };
  const y = { field: "y", type: "quantitative", ...described(yAxis, plot.yTitle) };
  const x = xOf(plot, lines, points);
  const byLine = { values: points };
  return {
    width,
    height,
    layer: [
      {
        data: { values: points.filter(({ low }) => low !== undefined) },
        mark: { type: "rule", strokeWidth: 5, opacity: 0.22 },
        encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color },
      },
      {
        data: byLine,
        mark: { type: "line", strokeWidth: 2.2 },
        encoding: { x, y, color, strokeDash },
      },
      {
        data: byLine,
        mark: { type: "point", filled: true, size: 38, opacity: 1 },
        encoding: { x, y, color },
      },
      {
        data: { values: namesOf(labels, points, yAxis) },
        mark: { type: "text", align: "left", baseline: "middle", fontSize: 12 },
        encoding: {
          x: { value: width + 12 },
          y: { field: "pixel", type: "quantitative", scale: null },
          text: { field: "label" },
          color,
        },
      },
    ],
  };
}

function pointsOf(
  { x, y, xScale, yScale }: PlotSpec,
  lines: readonly ResultLine[],
  told: readonly string[],
): Point[] {
  const points: Point[] = [];
  for (const line of lines) {
    const at = line.parameters[x];
    const value = line.figures[y];
    if (at === undefined || value === undefined || value === null) continue;
    // A logarithmic axis has no place for it.
    if ((yScale === "log" && value <= 0) || (xScale === "log" && typeof at === "number" && at <= 0))
      continue;
    const spread = spreadOf(line, y);
    points.push({
      label: labelOf(line, told),
      x: at,
      y: value,
      ...(spread === null || (yScale === "log" && spread[0] <= 0)
        ? {}
        : { low: spread[0], high: spread[1] }),
    });
  }
  return points;
}

function looksOf(
  lines: readonly ResultLine[],
  told: readonly string[],
): Map<string, { color: string; dash: readonly number[] }> {
  const styles = stylesOf([...new Set(lines.map(({ system }) => system))]);
  const looks = new Map<string, { color: string; dash: readonly number[] }>();
  const counts = new Map<string, number>();
  for (const line of lines) {
    const label = labelOf(line, told);
    if (looks.has(label)) continue;
    const count = counts.get(line.system) ?? 0;
    counts.set(line.system, count + 1);
    const { color, dash } = styles.get(line.system)!;
    looks.set(label, {
      color,
      dash: count === 0 ? dash : furtherDashes[count % furtherDashes.length]!,
    });
  }
  return looks;
}

function xOf(plot: PlotSpec, lines: readonly ResultLine[], points: readonly Point[]): object {
  const numbers = points.map(({ x }) => x).filter((x) => typeof x === "number");
  if (numbers.length < points.length) {
    return {
      field: "x",
      type: "ordinal",
      sort: valuesOf(lines, plot.x),
      title: plot.xTitle,
      axis: { labelAngle: 0 },
    };
  }
  const axis = parameterAxis(plot.x, plot.xScale, numbers);
  return { field: "x", type: "quantitative", ...described(axis, plot.xTitle) };
}

/** An axis as vega-lite wants it. */
function described(axis: Axis, title: string): object {
  return {
    title,
    scale: {
      type: axis.kind,
      domain: [axis.min, axis.max],
      nice: false,
      ...(axis.kind === "linear" ? { zero: false } : {}),
    },
    axis: { values: axis.ticks, labelExpr: axis.labels, labelOverlap: false },
  };
}

/** Names beside the last point of each line, moved apart where they would cover each other. */
function namesOf(labels: readonly string[], points: readonly Point[], axis: Axis): object[] {
  const names = labels.map((label) => {
    const last = points.filter((point) => point.label === label).at(-1)!;
    return { label, pixel: height * (1 - positionOn(axis, last.y)) };
  });
  names.sort((a, b) => a.pixel - b.pixel);
  let next = Number.NEGATIVE_INFINITY;
  for (const name of names) {
    name.pixel = Math.max(name.pixel, next);
    next = name.pixel + labelHeight;
  }
  let limit = height + 4;
  for (const name of names.toReversed()) {
    name.pixel = Math.min(name.pixel, limit);
    limit = name.pixel - labelHeight;
  }
  return names;
}
