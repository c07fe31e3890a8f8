import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Experiment, PlotSpec } from "../launcher/experiment.ts";
import type { EnvironmentLine, ResultLine } from "../launcher/result-line.ts";
import { publish, renderReport } from "./render-report.ts";

const hostile = "<b>|`x`</b>\n# not a heading";

const environment: EnvironmentLine["environment"] = {
  run: "20261123-213000-1a2b3c4",
  date: "2026-11-23T21:30:00Z",
  commit: "1a2b3c4",
  isModified: false,
  quick: false,
  node: "v20.20.2",
  kernel: "Linux 6.1",
  processor: "a processor",
  processors: 2,
  memoryBytes: 2 ** 34,
  load: 0.5,
  peers: { envoy: "not there" },
};

const plot: PlotSpec = {
  title: "Latency & size",
  form: "line",
  x: "bytes",
  y: "p50Us",
  xTitle: "size <of> the message",
  yTitle: "median",
  xScale: "log",
  yScale: "log",
  where: {},
  systems: [],
};

function experimentOf(name: string, changes: Partial<Experiment> = {}): Experiment {
  return {
    name,
    title: `Title of ${name}`,
    question: "How long?",
    kind: "load",
    systems: [],
    grid: {},
    rounds: 3,
    roundSeconds: 1,
    limitSeconds: 10,
    plots: [plot],
    targets: [],
    settings: {},
    ...changes,
  };
}

function resultOf(system: string, bytes: number, rounds: readonly number[]): ResultLine {
  return {
    experiment: "latency",
    system,
    parameters: { bytes },
    figures: { p50Us: rounds[1]!, missing: null },
    rounds: { p50Us: rounds },
  };
}

const lines: readonly ResultLine[] = [
  resultOf("koala-tcp", 64, [50, 60, 70]),
  resultOf("koala-tcp", 1024, [60, 70, 80]),
  resultOf("grpc-js", 64, [200, 240, 260]),
  resultOf("grpc-js", 1024, [210, 250, 270]),
  {
    experiment: "latency",
    system: "envoy",
    parameters: {},
    figures: {},
    skipped: `There is none: ${hostile}`,
  },
];

interface Folder {
  readonly evalFolder: string;
  /** Writes a run and says where it is. */
  write(run: string, results: readonly ResultLine[], end?: string): string;
}

function folderOf(context: TestContext): Folder {
  const evalFolder = mkdtempSync(join(tmpdir(), "koala-report-"));
  context.after(() => rmSync(evalFolder, { recursive: true, force: true }));
  mkdirSync(join(evalFolder, "results"));
  return {
    evalFolder,
    write(run, results, end = "") {
      const path = join(evalFolder, "results", `${run}.jsonl`);
      const objects = [{ environment: { ...environment, run } }, ...results];
      writeFileSync(path, objects.map((each) => `${JSON.stringify(each)}\n`).join("") + end);
      return path;
    },
  };
}

async function rendered(
  context: TestContext,
  experiments: readonly Experiment[],
  results: readonly ResultLine[],
  end = "",
) {
  const { evalFolder, write } = folderOf(context);
  const folder = join(evalFolder, "results", "run");
  const path = await renderReport(write("run", results, end), experiments, folder);
  return { folder, report: readFileSync(path, "utf8") };
}

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}

test("renderReport writes a plot with a mark for each figure, and names at the lines", async (context) => {
  const { folder } = await rendered(context, [experimentOf("latency")], lines);
  const svg = readFileSync(join(folder, "latency-1.svg"), "utf8");
  assert.equal(count(svg, /aria-roledescription="point"/g), 4);
  assert.match(svg, /Latency &amp; size/);
  assert.match(svg, /size &lt;of&gt; the message/);
  for (const text of ["koala-tcp", "grpc-js", "64 B", "1 kB", "100 µs"]) {
    assert.ok(svg.includes(`>${text}</text>`), text);
  }
  // Without a background it could not be read on a dark page.
  assert.match(svg, /<rect [^>]*fill="#ffffff"/);
});

test("renderReport puts the parts of a bar behind each other, and says what they come to", async (context) => {
  const partOf = (system: string, part: string, us: number): ResultLine => ({
    experiment: "latency",
    system,
    parameters: { part },
    figures: { us },
  });
  const { folder } = await rendered(
    context,
    [
      experimentOf("latency", {
        plots: [{ ...plot, form: "stack", x: "part", y: "us", yScale: "linear" }],
      }),
    ],
    [
      partOf("koala-tcp", "ring", 30),
      partOf("koala-tcp", "socket", 50),
      partOf("koala-tcp", "nothing", 0),
      partOf("koala-local", "ring", 20),
    ],
  );
  const svg = readFileSync(join(folder, "latency-1.svg"), "utf8");
  assert.equal(count(svg, /aria-roledescription="bar"/g), 3);
  for (const text of ["koala-tcp", "koala-local", "80.0 µs", "20.0 µs", "ring", "socket"]) {
    assert.ok(svg.includes(`>${text}</text>`), text);
  }
});

test("renderReport shows figures with their spread, the environment and who was skipped", async (context) => {
  const { report } = await rendered(context, [experimentOf("latency")], lines);
  assert.match(report, /60\.0 µs \(50\.0 µs … 70\.0 µs\)/);
  assert.match(report, /!\[Latency &amp; size\]\(latency-1\.svg\)/);
  assert.match(report, /\[latency\]\(\.\.\/\.\.\/latency\/README\.md\)/);
  assert.match(report, /1a2b3c4/);
  assert.doesNotMatch(report, /missing/);
  assert.match(report, /- envoy: There is none: &lt;b>\\\|\\`x\\`&lt;\/b> \\# not a heading/);
});

test("renderReport says which targets are reached, and why others were not measured", async (context) => {
  const target = { figure: "p50Us", system: "koala-tcp", against: "grpc-js", where: { bytes: 64 } };
  const targets = [
    { ...target, atMost: 0.3 },
    { ...target, atMost: 0.2 },
    { ...target, atLeast: 0.2 },
    { ...target, against: "envoy", atMost: 1 },
    { ...target, against: "nobody", atMost: 1 },
  ];
  const { report } = await rendered(context, [experimentOf("latency", { targets })], lines);
  const rows = report.split("\n").filter((line) => line.startsWith("| [latency]"));
  assert.equal(rows.length, 5);
  assert.match(rows[0]!, /≤ 0\.3 × \| 0\.250 × \| yes/);
  assert.match(rows[1]!, /≤ 0\.2 × \| 0\.250 × \| \*\*no\*\*/);
  assert.match(rows[2]!, /≥ 0\.2 × \| 0\.250 × \| yes/);
  assert.match(rows[3]!, /not measured: envoy: There is none/);
  assert.match(rows[4]!, /not measured: there is no such result of nobody/);
});

test("renderReport reads a file whose last line was cut", async (context) => {
  const { report } = await rendered(
    context,
    [experimentOf("latency")],
    lines.slice(0, 2),
    '{"experiment":"lat',
  );
  assert.match(report, /koala-tcp/);
});

test("renderReport says what has no results", async (context) => {
  const skipped = lines.filter(({ skipped }) => skipped !== undefined);
  const { report, folder } = await rendered(
    context,
    [experimentOf("latency"), experimentOf("rate")],
    skipped,
  );
  assert.match(report, /No plot “Latency &amp; size”/);
  assert.match(report, /Not measured here: rate\./);
  assert.equal(existsSync(join(folder, "latency-1.svg")), false);
});

test("renderReport draws bars with their figures, and rows over time with their events", async (context) => {
  const results: ResultLine[] = ["none", "acl"].flatMap((policy) =>
    ["koala-tcp", "grpc-js"].map((system, index) => ({
      experiment: "latency",
      system,
      parameters: { policy },
      figures: { p50Us: 100 * (index + 1) },
      series: { callsPer10Ms: [1, 2, 3, 0, 2], eventsMs: [30] },
    })),
  );
  const plots: PlotSpec[] = [
    { ...plot, form: "bar", x: "policy", xTitle: "policy" },
    {
      ...plot,
      form: "time",
      x: "",
      y: "callsPer10Ms",
      yTitle: "calls per 10 ms",
      yScale: "linear",
    },
  ];
  const { folder } = await rendered(context, [experimentOf("latency", { plots })], results);
  const bars = readFileSync(join(folder, "latency-1.svg"), "utf8");
  assert.equal(count(bars, /aria-roledescription="bar"/g), 4);
  for (const text of ["none", "acl", "100 µs", "200 µs"])
    assert.ok(bars.includes(`>${text}</text>`));
  const rows = readFileSync(join(folder, "latency-2.svg"), "utf8");
  assert.equal(count(rows, /<line [^>]*stroke-dasharray="3,3"/g), 4);
  assert.match(rows, />koala-tcp, acl<\/text>/);
});

test("renderReport renders the same twice", async (context) => {
  const { evalFolder, write } = folderOf(context);
  const file = write("run", lines);
  const folder = join(evalFolder, "results", "run");
  for (const index of [0, 1]) {
    await renderReport(file, [experimentOf("latency")], join(folder, String(index)));
  }
  const svg = (index: number) => readFileSync(join(folder, String(index), "latency-1.svg"), "utf8");
  assert.equal(svg(0), svg(1));
});

test("publish keeps what an earlier run has published and this one has not measured", async (context) => {
  const { evalFolder, write } = folderOf(context);
  const experiments = [experimentOf("latency"), experimentOf("rate"), experimentOf("queues")];
  mkdirSync(join(evalFolder, "latency"));
  writeFileSync(
    join(evalFolder, "latency", "README.md"),
    "# Latency\n\n## Reading\n\nIt is [fast](../../docs/x.md#y), [so](#method).\n\n## Method\n\nOther.\n",
  );
  await publish(
    write("first", [...lines, { ...lines[0]!, experiment: "rate" }]),
    experiments,
    evalFolder,
  );
  // Of a plot that the experiment has no more.
  writeFileSync(join(evalFolder, "latency", "latency-2.svg"), "<svg/>");
  await publish(write("second", lines.slice(0, 2)), experiments, evalFolder);
  const report = readFileSync(join(evalFolder, "REPORT.md"), "utf8");
  assert.match(report, /Run second: latency\./);
  assert.match(report, /Run first: rate\./);
  assert.match(report, /\]\(latency\/latency-1\.svg\)/);
  assert.match(report, /\]\(rate\/README\.md\)/);
  assert.match(report, /\nIt is \[fast\]\(\.\.\/docs\/x\.md#y\), \[so\]\(#method\)\.\n/);
  assert.doesNotMatch(report, /Other\./);
  assert.match(report, /Not measured here: queues\./);
  const published = readFileSync(join(evalFolder, "latency", "results.jsonl"), "utf8")
    .trimEnd()
    .split("\n");
  assert.equal(published.length, 3);
  assert.equal((JSON.parse(published[0]!) as EnvironmentLine).environment.run, "second");
  assert.ok(existsSync(join(evalFolder, "rate", "rate-1.svg")));
  assert.equal(existsSync(join(evalFolder, "latency", "latency-2.svg")), false);
});
