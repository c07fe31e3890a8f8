/** Two runs side by side. */
import { ratio } from "../figures/statistics.ts";
import type { ResultLine } from "./result-line.ts";

/** One figure of both runs. */
export interface Difference {
  readonly experiment: string;
  readonly system: string;
  /** `bytes 64, inFlight 1`. */
  readonly parameters: string;
  readonly figure: string;
  readonly a: number;
  readonly b: number;
  /** `b / a`; null when `a` is nothing. */
  readonly ratio: number | null;
  /** Every round of the one is above every round of the other; null without rounds in both. */
  readonly isClear: boolean | null;
}

/** What both have measured, in the order of the first. */
export function compareResults(
  a: readonly ResultLine[],
  b: readonly ResultLine[],
): readonly Difference[] {
  const others = new Map(b.map((line) => [keyOf(line), line]));
  return a.flatMap((line) => {
    const other = others.get(keyOf(line));
    return other === undefined ? [] : differencesOf(line, other);
  });
}

/** As lines of a table; differences that are clear have a star. */
export function renderComparison(differences: readonly Difference[], all: boolean): string {
  const shown = differences.filter(({ isClear }) => all || isClear !== null);
  const rows = shown.map((each) => [
    each.experiment,
    each.system,
    each.parameters,
    each.figure,
    numberText(each.a),
    numberText(each.b),
    each.ratio === null ? "-" : each.ratio.toFixed(3),
    each.isClear === true ? "*" : "",
  ]);
  const header = ["experiment", "system", "parameters", "figure", "A", "B", "B / A", ""];
  const table = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const isNumber = (column: number): boolean => column >= 4 && column <= 6;
  const lines = table.map((row) =>
    row
      .map((cell, column) =>
        isNumber(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join("  ")
      .trimEnd(),
  );
  return `${lines.join("\n")}\n`;
}

function differencesOf(a: ResultLine, b: ResultLine): Difference[] {
  const { experiment, system } = a;
  const parameters = parametersText(a);
  return Object.entries(a.figures).flatMap(([figure, value]) => {
    const other = b.figures[figure];
    if (value === null || other === null || other === undefined) return [];
    const isClear = areApart(a.rounds?.[figure], b.rounds?.[figure]);
    return {
      experiment,
      system,
      parameters,
      figure,
      a: value,
      b: other,
      ratio: ratio(other, value),
      isClear,
    };
  });
}

function areApart(a: readonly number[] = [], b: readonly number[] = []): boolean | null {
  if (a.length === 0 || b.length === 0) return null;
  return Math.min(...a) > Math.max(...b) || Math.min(...b) > Math.max(...a);
}

/** The order of parameters does not matter. */
function keyOf(line: ResultLine): string {
  const { experiment, system, parameters } = line;
  const sorted = Object.entries(parameters).sort(([a], [b]) => a.localeCompare(b));
  return JSON.stringify([experiment, system, sorted]);
}

function parametersText({ parameters }: ResultLine): string {
  return Object.entries(parameters)
    .map(([key, value]) => `${key} ${value}`)
    .join(", ");
}

function numberText(value: number): string {
  return value >= 1000
    ? Math.round(value).toLocaleString("en-US")
    : String(Number(value.toPrecision(4)));
}
