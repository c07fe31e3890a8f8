/** One bar a system, made of parts that lie behind each other: a part for each value of `x`. */
import type { PlotSpec } from "../launcher/experiment.ts";
import type { ResultLine } from "../launcher/result-line.ts";
import { axisOf, nameRows } from "./axis.ts";
import { labelOf, valuesOf, variedIn } from "./selection.ts";
import { formatFigure } from "./units.ts";

const width = 520;
const barHeight = 34;

/** The layers of vega-lite; undefined when nothing is above zero. */
export function stackPlot(
  { x, y, xTitle, yTitle }: PlotSpec,
  lines: readonly ResultLine[],
): object | undefined {
  const told = variedIn(lines).filter((name) => name !== x);
  const parts = valuesOf(lines, x).map(String);
  const ends = new Map<string, number>();
  const values = lines.flatMap((line) => {
    const part = line.parameters[x];
    const value = line.figures[y] ?? 0;
    if (part === undefined || value <= 0) return [];
    const name = labelOf(line, told);
    const from = ends.get(name) ?? 0;
    ends.set(name, from + value);
    return [{ name, part: String(part), from, to: from + value }];
  });
  if (values.length === 0) return undefined;
  const axis = axisOf(y, "linear", [...ends.values()]);
  const scale = { type: "linear", domain: [axis.min, axis.max], nice: false };
  const to = {
    field: "to",
    type: "quantitative",
    title: yTitle,
    scale,
    axis: { values: axis.ticks, labelExpr: axis.labels },
  };
  const totals = [...ends].map(([name, end]) => ({ name, to: end, text: formatFigure(y, end) }));
  const color = {
    field: "part",
    type: "nominal",
    scale: { domain: parts, scheme: "tableau20" },
    legend: { title: xTitle, labelLimit: 260, symbolType: "square" },
  };
  return {
    width,
    height: { step: barHeight },
    layer: [
      {
        data: { values },
        mark: { type: "bar", height: barHeight - 10 },
        encoding: { x: { ...to, field: "from" }, x2: { field: "to" }, y: nameRows, color },
      },
      {
        data: { values: totals },
        mark: { type: "text", align: "left", baseline: "middle", dx: 7, fontSize: 12 },
        encoding: { x: to, y: nameRows, text: { field: "text" } },
      },
    ],
  };
}
