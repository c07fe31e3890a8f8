import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chooseExperiments, readExperiment } from "./read-experiment.ts";
import { resolveExperiment } from "./run-experiment.ts";

const head = `number = 1
title = "T"
question = "Q?"
kind = "load"
systems = ["koala-tcp"]
`;

function read(text: string): ReturnType<typeof readExperiment>["experiment"] {
  return readExperiment("latency", "eval/latency/experiment.toml", text).experiment;
}

function refuses(text: string, pattern: RegExp): void {
  assert.throws(
    () => read(text),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, "ERR_EVAL_FILE");
      assert.match(error.message, /^eval\/latency\/experiment.toml/);
      assert.match(error.message, pattern);
      return true;
    },
  );
}

describe("an experiment's file", () => {
  it("is read with its defaults, names as they are in the code", () => {
    const experiment = read(`${head}
[grid]
in_flight = [1, 8]
bytes = 64
[settings]
warm_up_seconds = 2
points = [{ in_flight = 3 }]
[[target]]
figure = "p50Us"
system = "a"
against = "b"
where = { in_flight = 1 }
at_most = 0.5
`);
    assert.deepEqual(experiment.grid, { inFlight: [1, 8], bytes: [64] });
    assert.deepEqual(experiment.settings, { warmUpSeconds: 2, points: [{ inFlight: 3 }] });
    assert.equal(experiment.rounds, 5);
    assert.deepEqual(experiment.targets, [
      { figure: "p50Us", system: "a", against: "b", where: { inFlight: 1 }, atMost: 0.5 },
    ]);
  });

  it("that is not TOML is refused with the place", () => {
    refuses(`${head}rounds = = 3`, /:6:\d+: this is not TOML/);
  });

  it("with a key that there is not gets a suggestion", () => {
    refuses(`${head}round = 3`, /there is no key "round". Did you mean "rounds"\?/);
  });

  it("with a value of the wrong type says what was expected", () => {
    refuses(`${head}rounds = "five"`, /"rounds" must be a whole number from 1 .*it is "five"/);
    refuses(`${head}[grid]\nbytes = [true]`, /"grid.bytes" must be a list/);
    refuses(head.replace('title = "T"\n', ""), /"title" must be a string; it is missing/);
  });

  it("names the table of a plot or target that is wrong", () => {
    refuses(`${head}[[plot]]\ntitle = "T"\nform = "lin"`, /"plot\[1\].form" .*"line"\?/);
    refuses(
      `${head}[[target]]\nfigure = "a"\nsystem = "b"\nagainst = "c"`,
      /either at_most or at_least/,
    );
  });

  it("with a kind or a system that there is not gets a suggestion", () => {
    assert.throws(() => resolveExperiment(read(head.replace('"load"', '"laod"'))), {
      code: "ERR_EVAL_FILE",
      message: /no kind "laod". Did you mean "load"\?/,
    });
    assert.throws(() => resolveExperiment(read(head.replace("koala-tcp", "koala-tpc"))), {
      code: "ERR_EVAL_FILE",
      message: /no system "koala-tpc". Did you mean "koala-tcp"\?/,
    });
  });
});

describe("experiments", () => {
  it("are chosen by name", () => {
    const all = [read(head)];
    assert.deepEqual(chooseExperiments(all, []), all);
    assert.deepEqual(chooseExperiments(all, ["latency"]), all);
    assert.throws(() => chooseExperiments(all, ["latncy"]), {
      code: "ERR_EVAL_USAGE",
      message: /Did you mean "latency"\?/,
    });
  });
});
