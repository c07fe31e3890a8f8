import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { System } from "../systems/system.ts";
import type { ExperimentKind } from "./kind.ts";
import { readExperiment } from "./read-experiment.ts";
import type { ResultLine } from "./result-line.ts";
import { runExperiment } from "./run-experiment.ts";

const { experiment } = readExperiment(
  "some",
  "eval/some/experiment.toml",
  'number = 1\ntitle = "T"\nquestion = "Q"\nkind = "k"\nlimit_seconds = 1',
);

function system(name: string, needs: readonly string[] = []): System {
  const start = (): Promise<never> => Promise.reject(new Error("not started here"));
  return { name, needs, cases: [], byDefault: true, floors: {}, start };
}

async function run(
  kind: ExperimentKind["run"],
  systems: readonly System[],
  signal: AbortSignal = new AbortController().signal,
): Promise<{ well: boolean; lines: ResultLine[] }> {
  const lines: ResultLine[] = [];
  const options = { quick: true, signal, emit: (line: ResultLine) => void lines.push(line) };
  const well = await runExperiment(
    experiment,
    { ...options, progress: () => {} },
    { kind: { name: "k", run: kind }, systems },
  );
  return { well, lines };
}

describe("an experiment", () => {
  it("reports what its kind emits", async () => {
    const { well, lines } = await run(
      async ({ emit }) => emit({ system: "a", parameters: { bytes: 1 }, figures: { p50Us: 3 } }),
      [system("a")],
    );
    assert.ok(well);
    assert.deepEqual(lines, [
      { experiment: "some", system: "a", parameters: { bytes: 1 }, figures: { p50Us: 3 } },
    ]);
  });

  it("says of each system that has no figures why", async () => {
    const { well, lines } = await run(async () => {
      throw new Error("the disk is full\nand more");
    }, [system("a")]);
    assert.equal(well, false);
    assert.equal(lines[0]!.skipped, "the experiment failed: the disk is full");
  });

  it("ends at its limit, and says so", async () => {
    const { well, lines } = await run(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(new Error("its programs were ended")));
        }),
      [system("a")],
    );
    assert.ok(well, "a limit is no failure");
    assert.equal(lines[0]!.skipped, "the experiment's limit of 1 s was over");
  });

  it("ends when it is interrupted, and starts nothing afterwards", async () => {
    const user = new AbortController();
    const { lines } = await run(
      async ({ stage }) => {
        user.abort();
        stage().start("grpc-server.js", { name: "late" });
      },
      [system("a")],
      user.signal,
    );
    assert.equal(lines[0]!.skipped, "the run was interrupted");
  });

  it("goes on without a system that broke, and does not end well", async () => {
    const { well } = await run(
      async ({ failed, emit }) => {
        failed("a", new Error("broken"), "");
        emit({ system: "a", parameters: {}, skipped: "it failed", figures: {} });
      },
      [system("a")],
    );
    assert.equal(well, false);
  });
});
