import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type Child, spawnNode } from "@koala/testing";
import type { MemoryFigures } from "./figures/result.ts";

const main = new URL("main.js", import.meta.url);
/** The command starts processes one after the other, on a machine that may be busy. */
const deadlineMs = 60_000;

/** Starts the benchmark with a temporary folder of its own. */
function startBench(test: TestContext, ...args: string[]): { child: Child; temp: string } {
  const temp = mkdtempSync(join(tmpdir(), "koala-"));
  const child = spawnNode(main, args, { env: { TMPDIR: temp } });
  test.after(async () => {
    await child.stop();
    rmSync(temp, { recursive: true, force: true });
  });
  return { child, temp };
}

/** The environment files of all processes that have the folder as their temporary folder. */
function processesIn(temp: string): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => `/proc/${pid}/environ`)
    .filter((path) => readIfThere(path).includes(temp));
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process has ended meanwhile, or is somebody else's.
    return "";
  }
}

describe("bench", () => {
  it("prints one line of JSON a system and leaves nothing behind", async (test) => {
    const { child, temp } = startBench(
      test,
      "latency",
      "--quick",
      "--json",
      "--systems",
      "floor-ring-local",
    );
    const [line] = await child.line(/^\{.*\}$/, deadlineMs);
    assert.deepEqual(await child.exit(), { code: 0, signal: null });
    const result = JSON.parse(line) as Record<string, unknown>;
    assert.equal(result["case"], "latency");
    assert.equal(result["system"], "floor-ring-local");
    for (const name of ["samples", "p50Us", "p99Us", "callsPerSecond", "bytesPerSecond"]) {
      assert.ok((result[name] as number) > 0, `${name} is ${result[name]}`);
    }
    assert.equal(result["ratioToGrpcJs"], null);
    assert.deepEqual(readdirSync(temp), []);
    assert.deepEqual(processesIn(temp), []);
  });

  it("measures sockets and grpc-js in every case", async (test) => {
    const { child } = startBench(
      test,
      ...["latency", "rate", "goodput", "--quick", "--json", "--rounds", "1"],
      ...["--systems", "grpc-js,floor-tcp"],
    );
    for (const name of ["latency", "rate", "goodput"]) {
      for (const system of ["grpc-js", "floor-tcp"]) {
        const [line] = await child.line(/^\{.*\}$/, deadlineMs);
        const result = JSON.parse(line) as Record<string, unknown>;
        assert.deepEqual([result["case"], result["system"]], [name, system]);
        assert.ok((result["callsPerSecond"] as number) > 0, line);
      }
    }
    assert.deepEqual(await child.exit(), { code: 0, signal: null });
  });

  it("says what a connection costs", async (test) => {
    const { child } = startBench(test, ...["memory", "--quick", "--json", "--systems", "idle"]);
    for (const connections of [1, 40]) {
      const [line] = await child.line(/^\{.*\}$/, deadlineMs);
      const { system, memory } = JSON.parse(line) as { system: string; memory: MemoryFigures };
      assert.equal(system, `idle-${connections}`);
      assert.equal(memory.connections, connections);
      assert.equal(memory.descriptorsEach, 5);
      assert.ok(memory.daemonPssBytes > 0 && memory.attachMsEach! > 0, line);
    }
    assert.deepEqual(await child.exit(), { code: 0, signal: null });
  });

  it("compares the layout with protobuf-es", async (test) => {
    const { child } = startBench(
      test,
      ...["layout", "--quick", "--json", "--systems", "koala-hotel,protobuf-es-hotel"],
    );
    await child.line(/"system":"koala-hotel"/, deadlineMs);
    await child.line(/"system":"protobuf-es-hotel"/, deadlineMs);
    assert.deepEqual(await child.exit(), { code: 0, signal: null });
    assert.doesNotMatch(child.output(), /flat/);
  });

  it("measures queues, tied to processors or not", async (test) => {
    const { child } = startBench(
      test,
      ...["queues", "--quick", "--json", "--affinity", "one"],
      ...["--systems", "ring,pipe-processes"],
    );
    for (const mode of ["round-trip", "one-way"]) {
      for (const name of ["ring", "pipe-processes"]) {
        const [line] = await child.line(/^\{.*\}$/, deadlineMs);
        const result = JSON.parse(line) as Record<string, unknown>;
        assert.equal(result["system"], `${name}-${mode}`);
        assert.ok((result["callsPerSecond"] as number) > 0, line);
        assert.equal(result["failedCalls"], 0);
      }
    }
    assert.deepEqual(await child.exit(), { code: 0, signal: null });
  });

  it("refuses what it does not know with status 2", async (test) => {
    const { child } = startBench(test, "latncy");
    assert.deepEqual(await child.exit(), { code: 2, signal: null });
    assert.match(child.output(), /^bench: unknown case "latncy". Did you mean "latency"\?/);
  });

  it("refuses to measure nothing", async (test) => {
    const { child } = startBench(test, "goodput", "--systems", "floor-ring");
    assert.deepEqual(await child.exit(), { code: 2, signal: null });
    assert.match(child.output(), /nothing to measure: floor-ring-tcp, floor-ring-local .* goodput/);
  });

  it("ends everything when it is interrupted", async (test) => {
    const { child, temp } = startBench(
      test,
      ...["latency", "--seconds", "600", "--systems", "floor-ring-local,floor-tcp"],
    );
    await child.line(/^bench: latency: round 1/, deadlineMs);
    assert.notDeepEqual(processesIn(temp), []);
    child.kill("SIGINT");
    assert.deepEqual(await child.exit(deadlineMs), { code: 130, signal: null });
    assert.deepEqual(readdirSync(temp), []);
    assert.deepEqual(processesIn(temp), []);
  });

  it("shows what the programs said when one fails", async (test) => {
    const { child, temp } = startBench(
      test,
      ...["latency", "--seconds", "600", "--systems", "floor-tcp"],
    );
    await child.line(/^bench: latency: round 1/, deadlineMs);
    const [server = 0] = processesIn(temp)
      .map((path) => Number(path.split("/")[2]))
      .filter((pid) => readIfThere(`/proc/${pid}/cmdline`).includes("floor-tcp-server"));
    process.kill(server, "SIGKILL");
    assert.deepEqual(await child.exit(deadlineMs), { code: 1, signal: null });
    assert.match(child.output(), /--- floor-tcp client ---/);
    assert.match(child.output(), /bench: floor-tcp client did not answer/);
    assert.deepEqual(readdirSync(temp), []);
  });
});
