import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { spawnNode } from "@koala/testing";
import type { ResultLine } from "../launcher/result-line.ts";
import { readResults } from "../launcher/results-file.ts";
import { findPeer } from "../peers/find-peer.ts";

const main = new URL("../launcher/main.js", import.meta.url);
const experiments = fileURLToPath(new URL("../../../eval", import.meta.url));
/** Dozens of processes, one after the other, on a machine that may be busy. */
const deadlineMs = 180_000;

/** Runs an experiment of the project quickly, in a folder that does not last. */
async function quickRun(test: TestContext, name: string): Promise<readonly ResultLine[]> {
  const base = mkdtempSync(join(tmpdir(), "k-"));
  const [temp, folder] = [join(base, "t"), join(base, "eval")];
  mkdirSync(temp);
  cpSync(join(experiments, name, "experiment.toml"), join(folder, name, "experiment.toml"));
  const args = [name, "--quick", "--folder", folder];
  const child = spawnNode(main, args, { env: { TMPDIR: temp } });
  test.after(async () => {
    await child.stop();
    rmSync(base, { recursive: true, force: true });
  });
  assert.deepEqual(await child.exit(deadlineMs), { code: 0, signal: null }, child.output());
  const results = join(folder, "results");
  const [file = ""] = readdirSync(results).filter((each) => each.endsWith(".jsonl"));
  return readResults(join(results, file)).results;
}

/** What was measured, by system and the parameters of these names. */
function measured(results: readonly ResultLine[], ...names: string[]): string[] {
  return results
    .filter(({ skipped }) => skipped === undefined)
    .map(({ system, parameters }) => [system, ...names.map((name) => parameters[name])].join(" "))
    .sort();
}

async function hasEnvoy(): Promise<boolean> {
  return !("missing" in (await findPeer("envoy").find()));
}

describe("quick runs", () => {
  it("policies: sets, the limit, qos, and one peer", { timeout: deadlineMs }, async (test) => {
    const results = await quickRun(test, "policies");
    const koala = ["none", "chain-without-acl"].flatMap((set) => [
      `koala-tcp latency ${set}`,
      `koala-tcp rate ${set}`,
    ]);
    const peer = ["grpc-js-envoy latency none", "grpc-js-envoy rate none"];
    const expected = [...koala, "koala-tcp limit limiting", ...((await hasEnvoy()) ? peer : [])];
    const loads = results.filter(({ parameters }) => parameters["load"] !== "qos");
    assert.deepEqual(measured(loads, "load", "policy"), expected.sort());
    const qos = results.filter(({ parameters }) => parameters["load"] === "qos");
    assert.deepEqual(measured(qos, "situation"), [
      "koala-local alone",
      "koala-local beside-bulk",
      "koala-local beside-bulk-qos",
    ]);
    const held = results.find(({ parameters }) => parameters["load"] === "limit");
    assert.ok(held!.figures["callsPerSecond"]! > 0);
  });

  it("live operations: a change of a daemon and of Envoy", {
    timeout: deadlineMs,
  }, async (test) => {
    const results = await quickRun(test, "live-operations");
    const envoy = (await hasEnvoy()) ? ["grpc-js-one-envoy hot-restart"] : [];
    const expected = [...envoy, "koala-local attach"];
    assert.deepEqual(measured(results, "change"), expected);
    for (const { system, skipped, figures, series } of results) {
      if (skipped !== undefined) continue;
      assert.ok(figures["callsPerSecond"]! > 0, system);
      assert.equal(series!["eventsMs"]!.length, 2, system);
      if (system.startsWith("koala")) assert.equal(figures["failedCalls"], 0, system);
    }
  });

  it("binding: all situations of one size", { timeout: deadlineMs }, async (test) => {
    const results = await quickRun(test, "binding");
    const situations = ["app-alone", "bound", "cold", "others", "restarted", "warm"];
    assert.deepEqual(measured(results, "situation", "types"), [
      ...["bound", "cold", "warm"].map((each) => `grpc-js ${each} 1`),
      ...situations.map((each) => `koala-tcp ${each} 1`),
    ]);
    const firsts = results.filter(({ parameters }) => parameters["situation"] === "cold");
    for (const { system, figures } of firsts) assert.ok(figures["firstReplyMs"]! > 0, system);
  });
});
