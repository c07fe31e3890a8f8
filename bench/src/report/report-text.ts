/** The text of a report. Plots are files beside it; what they are called is said by who draws them. */

import { formatDigits } from "../figures/table.ts";
import type { Experiment } from "../launcher/experiment.ts";
import type { EnvironmentLine, ResultLine } from "../launcher/result-line.ts";
import { figureTable, processTable } from "./figure-table.ts";
import { plainText, table } from "./markdown.ts";
import { outcomesOf, type TargetOutcome } from "./target.ts";
import { formatFigure } from "./units.ts";

/** One experiment of a report. */
export interface ReportPart {
  readonly experiment: Experiment;
  readonly environment: EnvironmentLine["environment"];
  readonly lines: readonly ResultLine[];
}

/** The same with what has been drawn of it. */
export interface DrawnPart extends ReportPart {
  /** Plots in order: where they are, seen from the report, or why there is none. */
  readonly plots: readonly { readonly title: string; readonly path: string | undefined }[];
  /** The folder's README, seen from the report. */
  readonly readme: string;
  /** What the figures mean, in Markdown; where the report is published. */
  readonly reading?: string;
}

/** `others`: experiments of which there are no results. */
export function reportText(parts: readonly DrawnPart[], others: readonly Experiment[]): string {
  const environments = new Map(parts.map(({ environment }) => [environment.run, environment]));
  const isOneRun = environments.size === 1;
  return `${[
    "# Evaluation",
    ...[...environments.values()].map((each) => environmentText(each, isOneRun ? [] : parts)),
    targetText(parts, others),
    ...parts.flatMap(partText),
    ...(others.length === 0
      ? []
      : [`Not measured here: ${others.map(({ name }) => plainText(name)).join(", ")}.`]),
  ]
    .filter((text) => text !== "")
    .join("\n\n")}\n`;
}

function environmentText(
  environment: EnvironmentLine["environment"],
  parts: readonly ReportPart[],
): string {
  const {
    run,
    date,
    commit,
    isModified,
    quick,
    node,
    kernel,
    processor,
    processors,
    memoryBytes,
    load,
    peers,
  } = environment;
  const of = parts
    .filter((part) => part.environment.run === run)
    .map(({ experiment }) => experiment.name);
  const rows = [
    ["date", date],
    ["commit", `${commit}${isModified ? ", with changes that are not in it" : ""}`],
    ["processor", `${processor}, ${processors} of them`],
    ["memory", formatFigure("bytes", memoryBytes)],
    ["kernel", kernel],
    ["Node", node],
    ["load average before", formatDigits(load)],
    ...Object.entries(peers),
  ].map((row) => row.map((cell) => plainText(String(cell))));
  return [
    `Run ${plainText(run)}${of.length === 0 ? "" : `: ${of.map(plainText).join(", ")}`}.${quick ? " **Quick: it shows that everything works. Its figures say nothing.**" : ""}`,
    table(["", ""], rows, 2),
  ].join("\n\n");
}

function targetText(parts: readonly DrawnPart[], others: readonly Experiment[]): string {
  const rows = [
    ...parts.flatMap(({ experiment, lines }) =>
      outcomesOf(experiment, lines).map((each) => targetRow(experiment, each)),
    ),
    ...others.flatMap((experiment) =>
      outcomesOf(experiment, []).map((each) =>
        targetRow(experiment, { ...each, reason: "the experiment was not run" }),
      ),
    ),
  ];
  if (rows.length === 0) return "";
  return [
    "## To reach",
    "Each is a figure of one system divided by that of another, from the medians of the rounds of the same run.",
    table(
      ["experiment", "figure", "of", "divided by", "where", "to reach", "measured", "reached"],
      rows,
      5,
    ),
  ].join("\n\n");
}

function targetRow(
  { name }: Experiment,
  { target, parameters, ratio, isReached, reason = "" }: TargetOutcome,
): string[] {
  const { figure, system, against, atMost, atLeast } = target;
  const where = Object.entries(parameters).map(([key, value]) =>
    typeof value === "number" ? `${key} ${formatFigure(key, value)}` : `${key} ${value}`,
  );
  const limit = atMost === undefined ? `≥ ${shortRatio(atLeast!)}` : `≤ ${shortRatio(atMost)}`;
  return [
    `[${plainText(name)}](#${name})`,
    ...[figure, system, against, where.join(", ")].map(plainText),
    limit,
    ratio === null ? `not measured: ${plainText(reason)}` : `${formatDigits(ratio)} ×`,
    isReached === null ? "–" : isReached ? "yes" : "**no**",
  ];
}

function shortRatio(value: number): string {
  return `${Number(formatDigits(value).replaceAll(",", ""))} ×`;
}

function partText(part: DrawnPart): string[] {
  const { experiment, lines, plots, readme, reading = "" } = part;
  const { name, title, question } = experiment;
  return [
    `<a id="${name}"></a>\n\n## ${plainText(title)}`,
    `${plainText(question)} How it is measured: [${plainText(name)}](${readme}).`,
    ...plots.map(({ title: of, path }) =>
      path === undefined
        ? `No plot “${plainText(of)}”: there are no results for it.`
        : `![${plainText(of)}](${path})`,
    ),
    reading,
    figureTable(lines),
    processTable(lines),
    skippedText(lines),
  ];
}

/** Once for each system and reason, with the parameters if it was not the whole system. */
function skippedText(lines: readonly ResultLine[]): string {
  const sentences = lines
    .filter(({ skipped }) => skipped !== undefined)
    .map(({ system, parameters, skipped }) => {
      const where = Object.entries(parameters).map(([key, value]) => `${key} ${value}`);
      const whom = where.length === 0 ? system : `${system} (${where.join(", ")})`;
      return `- ${plainText(whom)}: ${plainText(skipped!)}`;
    });
  return sentences.length === 0 ? "" : `Not measured:\n\n${[...new Set(sentences)].join("\n")}`;
}
