import type { Figures } from "./measurement.ts";

/** One measured system, in the words of the table. */
export interface MeasuredSystem {
  readonly title: string;
  readonly figures: Figures;
}

const columns: readonly string[] = ["calls/s", "ratio", "p50", "p99", "p50 ratio"];

/**
 * The result as a person reads it: a line a system, ratios against the last one, which is what the others are
 * compared with.
 */
export function renderTable(systems: readonly MeasuredSystem[]): string {
  const baseline = systems.at(-1)?.figures;
  if (baseline === undefined) return "";
  const rows = systems.map(({ title, figures }) => [
    title,
    Math.round(figures.callsPerSecond).toLocaleString("en"),
    `${formatRatio(figures.callsPerSecond / baseline.callsPerSecond)} x`,
    formatMicros(figures.p50Us),
    formatMicros(figures.p99Us),
    `${formatRatio(figures.p50Us / baseline.p50Us)} x`,
  ]);
  const cells = [["", ...columns], ...rows];
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]! + 3),
        )
        .join(""),
    )
    .join("\n");
}

/** Three digits that count: 12.3, 1.23, 0.123, 0.0123. */
function formatRatio(ratio: number): string {
  if (ratio >= 100) return ratio.toFixed(0);
  if (ratio >= 10) return ratio.toFixed(1);
  return ratio >= 1 ? ratio.toFixed(2) : ratio.toPrecision(2);
}

function formatMicros(micros: number): string {
  return micros < 10_000 ? `${Math.round(micros)} µs` : `${(micros / 1000).toFixed(1)} ms`;
}
