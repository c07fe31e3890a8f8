/** From a file of results to a report with plots. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { Experiment } from "../launcher/experiment.ts";
import { readResults } from "../launcher/results-file.ts";
import { drawSvg } from "./draw-svg.ts";
import { plotOf } from "./plot.ts";
import { type DrawnPart, type ReportPart, reportText } from "./report-text.ts";

const publishedResults = "results.jsonl";
const reportName = "REPORT.md";
const readmeName = "README.md";

/**
 * Writes `folder/report.md` and a file for each plot, and says where the report is. `resultsFile` lies in
 * `eval/results/`; the report links to the experiments' folders in `eval/`.
 */
export async function renderReport(
  resultsFile: string,
  experiments: readonly Experiment[],
  folder: string,
): Promise<string> {
  const { environment, results } = readResults(resultsFile);
  const parts = experiments.map(
    (experiment): ReportPart => ({
      experiment,
      environment,
      lines: results.filter((line) => line.experiment === experiment.name),
    }),
  );
  mkdirSync(folder, { recursive: true });
  const report = join(folder, "report.md");
  const evalFolder = join(dirname(resultsFile), "..");
  await writeReport(report, evalFolder, parts, () => folder, false);
  return report;
}

/**
 * Makes a run the published one: writes the results of each of its experiments and their plots to `eval/NAME/`, and
 * `eval/REPORT.md` from all that is published. What the run has not measured stays as it was. Says where the report is.
 */
export async function publish(
  resultsFile: string,
  experiments: readonly Experiment[],
  evalFolder: string,
): Promise<string> {
  const { environment, results } = readResults(resultsFile);
  for (const { name } of experiments) {
    const own = results.filter(({ experiment }) => experiment === name);
    if (own.length === 0) continue;
    mkdirSync(join(evalFolder, name), { recursive: true });
    const objects = [{ environment }, ...own];
    writeFileSync(
      join(evalFolder, name, publishedResults),
      objects.map((object) => `${JSON.stringify(object)}\n`).join(""),
    );
  }
  const parts = experiments.map((experiment): ReportPart => {
    const path = join(evalFolder, experiment.name, publishedResults);
    if (!existsSync(path)) return { experiment, environment, lines: [] };
    const published = readResults(path);
    return { experiment, environment: published.environment, lines: published.results };
  });
  const report = join(evalFolder, reportName);
  await writeReport(report, evalFolder, parts, ({ name }) => join(evalFolder, name), true);
  return report;
}

async function writeReport(
  report: string,
  evalFolder: string,
  parts: readonly ReportPart[],
  folderOf: (experiment: Experiment) => string,
  isPublished: boolean,
): Promise<void> {
  const fromReport = (path: string) =>
    relative(resolve(dirname(report)), resolve(path))
      .split(sep)
      .join("/");
  const drawn: DrawnPart[] = [];
  for (const part of parts.filter(({ lines }) => lines.length > 0)) {
    const { name } = part.experiment;
    const readme = join(evalFolder, name, readmeName);
    drawn.push({
      ...part,
      plots: (await drawPlots(part, folderOf(part.experiment))).map(({ title, path }) => ({
        title,
        path: path === undefined ? undefined : fromReport(path),
      })),
      readme: fromReport(readme),
      ...(isPublished ? { reading: readingIn(readme, fromReport) } : {}),
    });
  }
  const others = parts
    .filter(({ lines }) => lines.length === 0)
    .map(({ experiment }) => experiment);
  writeFileSync(report, reportText(drawn, others));
}

/** Draws `NAME-1.svg`, …, and removes those of an earlier run that had more. */
async function drawPlots(
  { experiment: { name, plots }, lines }: ReportPart,
  folder: string,
): Promise<{ title: string; path: string | undefined }[]> {
  for (const file of readdirSync(folder)) {
    if (file.startsWith(`${name}-`) && /^\d+\.svg$/.test(file.slice(name.length + 1)))
      rmSync(join(folder, file));
  }
  const drawn: { title: string; path: string | undefined }[] = [];
  for (const [index, plot] of plots.entries()) {
    const spec = plotOf(plot, lines);
    const path = spec === undefined ? undefined : join(folder, `${name}-${index + 1}.svg`);
    if (path !== undefined) writeFileSync(path, await drawSvg(spec!));
    drawn.push({ title: plot.title, path });
  }
  return drawn;
}

/** What stands under the heading "Reading" of a README, with its links as the report would write them. */
function readingIn(readme: string, fromReport: (path: string) => string): string {
  if (!existsSync(readme)) return "";
  const [, reading = ""] =
    /^## Reading\n([\s\S]*?)(?=^#|$(?![\s\S]))/m.exec(readFileSync(readme, "utf8")) ?? [];
  return reading
    .trim()
    .replace(
      /\]\((?!#|[a-z]+:)([^)#]+)/g,
      (_link, path: string) => `](${fromReport(join(dirname(readme), path))}`,
    );
}
