/** Bars from left to right, one a system, with the figure at their ends; a block of them for each value of `x`. */
import type { PlotSpec } from "../launcher/experiment.ts";
import type { ResultLine } from "../launcher/result-line.ts";
import { axisOf, nameRows } from "./axis.ts";
import { stylesOf } from "./palette.ts";
import { labelOf, spreadOf, valuesOf, variedIn } from "./selection.ts";
import { formatFigure } from "./units.ts";

const width = 520;
const barHeight = 20;

/** The facets of vega-lite; undefined when nothing can be seen on the axis that is asked for. */
export function barPlot(plot: PlotSpec, lines: readonly ResultLine[]): object | undefined {
  const { x, y, xTitle, yTitle, yScale } = plot;
  const systems = [...new Set(lines.map(({ system }) => system))];
  const blocks = valuesOf(lines, x);
  const told = variedIn(lines).filter((name) => name !== x);
  // With one system only, what was varied is the name of the bar.
  const hasBlocks = blocks.length > 1 && (systems.length > 1 || told.length > 0);
  const nameOf = (line: ResultLine) =>
    !hasBlocks && blocks.length > 1 ? valueText(x, line.parameters[x]) : labelOf(line, told);
  const bars = lines
    .filter(({ figures }) => yScale === "linear" || figures[y]! > 0)
    .map((line) => {
      const value = line.figures[y]!;
      const [low, high] = spreadOf(line, y) ?? [value, value];
      return {
        system: line.system,
        name: nameOf(line),
        block: hasBlocks ? valueText(x, line.parameters[x]) : "",
        value,
        low,
        high,
        text: formatFigure(y, value),
      };
    });
  if (bars.length === 0) return undefined;
  const axis = axisOf(
    y,
    yScale,
    bars.flatMap(({ value, low, high }) => [value, low, high]),
  );
  const base = axis.kind === "log" ? axis.min : 0;
  const styles = stylesOf(systems);
  const scale = { type: axis.kind, domain: [axis.min, axis.max], nice: false };
  const value = {
    field: "value",
    type: "quantitative",
    title: yTitle,
    scale,
    axis: { values: axis.ticks, labelExpr: axis.labels },
  };
  const color = {
    field: "system",
    type: "nominal",
    scale: { domain: systems, range: systems.map((system) => styles.get(system)!.color) },
    legend: null,
  };
  const layers = {
    width,
    height: { step: barHeight },
    layer: [
      {
        mark: { type: "bar", height: barHeight - 6 },
        encoding: { x: { ...value }, x2: { datum: base }, y: nameRows, color },
      },
      {
        transform: [{ filter: "datum.low < datum.high" }],
        mark: { type: "rule", color: "#222222", strokeWidth: 1.4 },
        encoding: { x: { ...value, field: "low" }, x2: { field: "high" }, y: nameRows },
      },
      {
        mark: {
          type: "text",
          align: "left",
          baseline: "middle",
          dx: 7,
          fontSize: 12,
          color: "#222222",
        },
        encoding: { x: { ...value, field: "high" }, y: nameRows, text: { field: "text" } },
      },
    ],
  };
  const data = { values: bars };
  if (!hasBlocks) return { data, ...layers };
  return {
    data,
    facet: {
      row: {
        field: "block",
        type: "nominal",
        sort: blocks.map((block) => valueText(x, block)),
        header: {
          title: xTitle,
          titleOrient: "top",
          titleAnchor: "start",
          titleFontSize: 12,
          titleFontWeight: "normal",
          labelOrient: "top",
          labelAnchor: "start",
          labelFontWeight: "bold",
          labelPadding: 4,
        },
      },
    },
    spec: layers,
    spacing: 12,
    resolve: { scale: { y: "independent" } },
  };
}

function valueText(name: string, value: string | number | undefined): string {
  return typeof value === "number" ? formatFigure(name, value) : (value ?? "");
}
