import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type Child, spawnNode, until } from "@koala/testing";
import { readResults } from "./results-file.ts";

const main = new URL("main.js", import.meta.url);
/** The command starts processes one after the other, on a machine that may be busy. */
const deadlineMs = 60_000;

interface Launched {
  readonly child: Child;
  /** All temporary files of the launcher and of what it starts are below it. */
  readonly temp: string;
  readonly folder: string;
}

/** Starts the launcher with one experiment of its own. */
function launch(test: TestContext, toml: string, ...args: string[]): Launched {
  const base = mkdtempSync(join(tmpdir(), "k-"));
  const [temp, folder] = [join(base, "t"), join(base, "eval")];
  mkdirSync(temp);
  mkdirSync(join(folder, "small"), { recursive: true });
  writeFileSync(join(folder, "small", "experiment.toml"), toml);
  const child = spawnNode(main, ["--folder", folder, ...args], { env: { TMPDIR: temp } });
  test.after(async () => {
    await child.stop();
    rmSync(base, { recursive: true, force: true });
  });
  return { child, temp, folder };
}

function experimentOf(systems: string, rest = ""): string {
  return `number = 1
title = "Small"
question = "Does it work?"
kind = "load"
systems = [${systems}]
${rest}`;
}

const endless = experimentOf(
  '"koala-local", "floor-tcp"',
  "rounds = 1\nround_seconds = 600\nlimit_seconds = 600\n[settings]\nwarm_up_seconds = 0.1",
);

/** Processes that have the folder as, or below, their temporary folder. */
function processesIn(temp: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => readIfThere(`/proc/${pid}/environ`).includes(`TMPDIR=${temp}`));
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process has ended meanwhile, or is somebody else's.
    return "";
  }
}

async function measuring({ child, temp }: Launched): Promise<void> {
  await child.line(/^eval +\d+ s: small: 1 of 1: bytes 64/, deadlineMs);
  assert.ok(processesIn(temp).length >= 6, "launcher, guard, daemon, two servers, two clients");
  assert.notDeepEqual(readdirSync(temp), []);
}

async function nothingIsLeft({ temp }: Launched): Promise<void> {
  await until("all processes have ended", () => processesIn(temp).length === 0, deadlineMs);
  await until("no file is left", () => readdirSync(temp).length === 0, deadlineMs);
}

describe("the launcher", () => {
  it("writes a line for each system and point, renders them, and leaves nothing behind", async (test) => {
    const launched = launch(
      test,
      experimentOf('"koala-local", "floor-ring-local"', "[grid]\nbytes = [64, 1024]"),
      "--quick",
    );
    const { child, folder } = launched;
    assert.deepEqual(await child.exit(deadlineMs), { code: 0, signal: null }, child.output());
    const [file = ""] = readdirSync(join(folder, "results")).filter((each) =>
      each.endsWith(".jsonl"),
    );
    const { environment, results } = readResults(join(folder, "results", file));
    assert.equal(`${environment.run}.jsonl`, file);
    assert.equal(environment.quick, true);
    assert.deepEqual(
      results.map(({ system, parameters, skipped }) => [system, parameters["bytes"], skipped]),
      [
        ["koala-local", 64, undefined],
        ["floor-ring-local", 64, undefined],
        ["koala-local", 1024, undefined],
        ["floor-ring-local", 1024, "floor-ring-local carries no more than 64 bytes"],
      ],
    );
    const [first] = results;
    for (const figure of ["samples", "p50Us", "p999Us", "callsPerSecond", "bytesPerSecond"]) {
      assert.ok(first!.figures[figure]! > 0, `${figure} is ${first!.figures[figure]}`);
    }
    assert.deepEqual(
      first!.processes!.map(({ role }) => role),
      ["client", "server", "between"],
    );
    assert.ok(first!.processes!.every(({ pssBytes }) => pssBytes! > 1 << 20));
    assert.ok(existsSync(join(folder, "results", environment.run, "report.md")));
    await nothingIsLeft(launched);
  });

  it("merges several clients, and offers calls in an open loop", async (test) => {
    const { child, folder } = launch(
      test,
      experimentOf(
        '"koala-local"',
        "[settings]\npoints = [{ in_flight = 4, clients = 2 }, { in_flight = 64, rate = 500 }]\n" +
          "[grid]\nbytes = [32]\nclients = [2]\nin_flight = [2]",
      ),
      "--quick",
    );
    assert.deepEqual(await child.exit(deadlineMs), { code: 0, signal: null }, child.output());
    const [file = ""] = readdirSync(join(folder, "results")).filter((each) =>
      each.endsWith(".jsonl"),
    );
    const [closed, open] = readResults(join(folder, "results", file)).results;
    assert.equal(closed!.processes!.filter(({ role }) => role === "client").length, 2);
    assert.ok(closed!.figures["p50Us"]! > 0);
    assert.equal(open!.parameters["rate"], 500);
    assert.equal(open!.figures["offeredPerSecond"], 500);
    assert.ok(open!.figures["shed"]! >= 0);
  });

  it("keeps to the limit of an experiment, and says what it has not measured", async (test) => {
    const launched = launch(
      test,
      experimentOf(
        '"floor-tcp"',
        "rounds = 1\nround_seconds = 600\nlimit_seconds = 3\n[settings]\nwarm_up_seconds = 0.1",
      ),
    );
    const { child, folder } = launched;
    assert.deepEqual(await child.exit(deadlineMs), { code: 0, signal: null }, child.output());
    const [file = ""] = readdirSync(join(folder, "results")).filter((each) =>
      each.endsWith(".jsonl"),
    );
    const { results } = readResults(join(folder, "results", file));
    assert.deepEqual(
      results.map(({ skipped }) => skipped),
      ["the experiment's limit of 3 s was over"],
    );
    await nothingIsLeft(launched);
  });

  for (const [signal, code] of [
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const) {
    it(`ends everything on ${signal}`, async (test) => {
      const launched = launch(test, endless);
      await measuring(launched);
      launched.child.kill(signal);
      assert.deepEqual(await launched.child.exit(deadlineMs), { code, signal: null });
      await nothingIsLeft(launched);
    });
  }

  it("leaves nothing behind when it is killed itself", async (test) => {
    const launched = launch(test, endless);
    await measuring(launched);
    launched.child.kill("SIGKILL");
    await nothingIsLeft(launched);
  });

  it("refuses what it does not know with status 2", async (test) => {
    for (const [args, pattern] of [
      [["smal"], /unknown experiment "smal". Did you mean "small"\?/],
      [["--quik"], /unknown option "--quik". Did you mean "--quick"\?/],
    ] as const) {
      const { child } = launch(test, endless, ...args);
      assert.deepEqual(await child.exit(deadlineMs), { code: 2, signal: null });
      assert.match(child.output(), pattern);
    }
  });

  it("refuses settings that the kind does not understand, before it starts anything", async (test) => {
    const { child } = launch(test, experimentOf('"floor-tcp"', "[grid]\nbites = [1]"));
    assert.deepEqual(await child.exit(deadlineMs), { code: 1, signal: null });
    assert.match(child.output(), /the grid of a load has bytes, .*found "bites"/);
  });
});
