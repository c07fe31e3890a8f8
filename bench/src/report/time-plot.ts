/** Rows of numbers over time, one below the other. The name of a row says its step: `callsPer10Ms`. */
import type { PlotSpec } from "../launcher/experiment.ts";
import type { ResultLine } from "../launcher/result-line.ts";
import { axisOf } from "./axis.ts";
import { stylesOf } from "./palette.ts";
import { labelOf, variedIn } from "./selection.ts";

const width = 620;
const rowHeight = 90;

/** A row with the moments at which something was done, in milliseconds; each becomes a mark. */
export const eventsRow = "eventsMs";

/** One picture below the other; undefined when the name of the row does not say its step. */
export function timePlot(plot: PlotSpec, lines: readonly ResultLine[]): object | undefined {
  const [, count, unit] = /Per(\d+)(Ms|Seconds?)$/.exec(plot.y) ?? [];
  if (count === undefined) return undefined;
  const stepMs = Number(count) * (unit === "Ms" ? 1 : 1000);
  const told = variedIn(lines);
  const styles = stylesOf([...new Set(lines.map(({ system }) => system))]);
  const all = lines.flatMap(({ series }) => series![plot.y]!);
  const axis = axisOf("", plot.yScale, all);
  const endSeconds =
    Math.max(...lines.map(({ series }) => series![plot.y]!.length * stepMs)) / 1000;
  return {
    spacing: 8,
    vconcat: lines.map((line, index) => {
      const isLast = index === lines.length - 1;
      const x = {
        field: "seconds",
        type: "quantitative",
        scale: { domain: [0, endSeconds], nice: false },
        title: isLast ? plot.xTitle : null,
        axis: { labels: isLast, ticks: isLast, tickCount: 10 },
      };
      const row = line.series![plot.y]!;
      return {
        width,
        height: rowHeight,
        title: {
          text: labelOf(line, told),
          anchor: "start",
          frame: "group",
          fontSize: 12,
          fontWeight: "normal",
          offset: 4,
          color: styles.get(line.system)!.color,
        },
        layer: [
          {
            data: { values: (line.series![eventsRow] ?? []).map((ms) => ({ seconds: ms / 1000 })) },
            mark: { type: "rule", color: "#222222", strokeDash: [3, 3], strokeWidth: 1 },
            encoding: { x },
          },
          {
            data: {
              values: row.map((value, step) => ({ seconds: (step * stepMs) / 1000, value })),
            },
            mark: {
              type: "area",
              interpolate: "step-after",
              color: styles.get(line.system)!.color,
              opacity: 0.85,
            },
            encoding: {
              x,
              y: {
                field: "value",
                type: "quantitative",
                title: null,
                scale: { type: axis.kind, domain: [axis.min, axis.max], nice: false },
                axis: {
                  values: axis.ticks.filter((_, tick) => tick % 2 === 0),
                  labelExpr: axis.labels,
                },
              },
            },
          },
        ],
      };
    }),
  };
}
