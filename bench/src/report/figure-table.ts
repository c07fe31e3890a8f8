/** The figures of an experiment as tables. */
import type { ResultLine } from "../launcher/result-line.ts";
import { folded, plainText, table } from "./markdown.ts";
import { spreadOf } from "./selection.ts";
import { formatFigure } from "./units.ts";

const openRowsMax = 16;

/** All figures with the lowest and the highest of their rounds: a table for each set of parameters; long ones are folded. */
export function figureTable(lines: readonly ResultLine[]): string {
  const measured = lines.filter(({ skipped }) => skipped === undefined);
  const groups = new Map<string, ResultLine[]>();
  for (const line of measured) {
    const key = Object.keys(line.parameters).join();
    groups.set(key, [...(groups.get(key) ?? []), line]);
  }
  return [...groups.values()]
    .map(groupTable)
    .filter((text) => text !== "")
    .join("\n\n");
}

function groupTable(lines: readonly ResultLine[]): string {
  const parameters = Object.keys(lines[0]!.parameters);
  const figures = [...new Set(lines.flatMap((line) => Object.keys(line.figures)))].filter((name) =>
    lines.some((line) => (line.figures[name] ?? null) !== null),
  );
  if (figures.length === 0) return "";
  const rows = lines.map((line) => [
    plainText(line.system),
    ...parameters.map((name) => parameterText(name, line.parameters[name])),
    ...figures.map((name) => figureText(line, name)),
  ]);
  const headings = ["system", ...parameters, ...figures].map(plainText);
  const text = table(headings, rows, 1);
  return rows.length <= openRowsMax ? text : folded(`All figures (${rows.length} results)`, text);
}

/** What every process used; empty when no result says so. */
export function processTable(lines: readonly ResultLine[]): string {
  const measured = lines.filter(({ processes }) => processes !== undefined && processes.length > 0);
  if (measured.length === 0) return "";
  const parameters = [...new Set(measured.flatMap((line) => Object.keys(line.parameters)))];
  const rows = measured.flatMap((line) =>
    line.processes!.map(({ name, role, cpuSeconds, pssBytes }) => [
      plainText(line.system),
      plainText(name),
      role,
      ...parameters.map((each) => parameterText(each, line.parameters[each])),
      cpuSeconds === null ? "–" : formatFigure("seconds", cpuSeconds),
      pssBytes === null ? "–" : formatFigure("bytes", pssBytes),
    ]),
  );
  const headings = [
    "system",
    "process",
    "role",
    ...parameters.map(plainText),
    "processor time",
    "memory (PSS)",
  ];
  return folded(
    `Processor time and memory of each process (${rows.length})`,
    table(headings, rows, 3),
  );
}

function parameterText(name: string, value: string | number | undefined): string {
  if (value === undefined) return "";
  return typeof value === "number" ? formatFigure(name, value) : plainText(value);
}

function figureText(line: ResultLine, name: string): string {
  const value = line.figures[name] ?? null;
  if (value === null) return "–";
  const spread = spreadOf(line, name);
  const text = formatFigure(name, value);
  if (spread === null || spread[0] === spread[1]) return text;
  return `${text} (${formatFigure(name, spread[0])} … ${formatFigure(name, spread[1])})`;
}
