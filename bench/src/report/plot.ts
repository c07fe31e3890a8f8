/** From the specification of a plot and the results to what vega-lite draws. */
import type { PlotSpec } from "../launcher/experiment.ts";
import type { ResultLine } from "../launcher/result-line.ts";
import { barPlot } from "./bar-plot.ts";
import { linePlot } from "./line-plot.ts";
import { isWhere } from "./selection.ts";
import { stackPlot } from "./stack-plot.ts";
import { timePlot } from "./time-plot.ts";

const drawings = { line: linePlot, bar: barPlot, stack: stackPlot, time: timePlot } as const;

/** Undefined when no result has what is to be shown. */
export function plotOf(plot: PlotSpec, lines: readonly ResultLine[]): object | undefined {
  const shown = lines.filter(
    ({ system, parameters, figures, series, skipped }) =>
      skipped === undefined &&
      (plot.systems.length === 0 || plot.systems.includes(system)) &&
      isWhere(parameters, plot.where) &&
      (plot.form === "time"
        ? (series?.[plot.y]?.length ?? 0) > 0
        : (figures[plot.y] ?? null) !== null),
  );
  if (shown.length === 0) return undefined;
  const drawn = drawings[plot.form](plot, shown);
  return drawn === undefined ? undefined : { ...frame(plot), ...drawn };
}

/** What all plots have in common. White is said, so that a plot can be read on a dark page too. */
function frame({ title, form, yTitle }: PlotSpec): object {
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "#ffffff",
    padding: 14,
    title: {
      text: title,
      // Rows below each other have no place for it beside them.
      ...(form === "time" ? { subtitle: yTitle } : {}),
      anchor: "start",
      offset: 14,
      fontSize: 15,
      color: "#222222",
      subtitleFontSize: 12,
      subtitleColor: "#444444",
      subtitlePadding: 6,
    },
    config: {
      font: "Helvetica, Arial, sans-serif",
      axis: {
        labelFontSize: 12,
        titleFontSize: 12,
        titleFontWeight: "normal",
        labelColor: "#444444",
        titleColor: "#444444",
        gridColor: "#e6e6e6",
        domainColor: "#999999",
        tickColor: "#999999",
        titlePadding: 10,
        labelFlush: false,
      },
      header: { labelFontSize: 12, labelColor: "#222222" },
      view: { stroke: null },
    },
  };
}
