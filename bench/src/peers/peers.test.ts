import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { spawnProgram } from "@koala/testing";
import { poissonArrivals } from "../load/arrivals.ts";
import { Program } from "../processes/program.ts";
import { kept } from "./cache.ts";
import { grpcCpp } from "./grpc-cpp.ts";
import { output, programPath } from "./installed.ts";
import { peer } from "./peer.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "koala-bench-peers-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

describe("peer", () => {
  it("says why a search failed, and searches once", async () => {
    let searches = 0;
    const lost = peer("lost", async () => {
      searches++;
      throw new Error("no network");
    });
    assert.deepEqual(await lost.find(), { missing: "lost could not be had: no network" });
    await lost.find();
    assert.equal(searches, 1);
  });
});

describe("programPath", () => {
  it("finds what can be run, and nothing else", (t) => {
    const folder = folderOf(t);
    writeFileSync(join(folder, "tool"), "", { mode: 0o755 });
    writeFileSync(join(folder, "notes"), "", { mode: 0o644 });
    assert.equal(programPath("tool", `/nowhere:${folder}`), join(folder, "tool"));
    assert.equal(programPath("notes", folder), undefined);
  });
});

describe("output", () => {
  it("rejects with what a program said last", async () => {
    await assert.rejects(output("sh", ["-c", "echo broken; exit 3"], 10_000), /sh failed: broken/);
  });

  it("rejects for a program that there is not", async () => {
    await assert.rejects(output("/nowhere/tool", [], 10_000), /\/nowhere\/tool/);
  });
});

describe("kept", () => {
  it("makes a folder once, and leaves nothing of one that could not be made", async (t) => {
    const root = folderOf(t);
    const fail = async (): Promise<void> => {
      throw new Error("disk full");
    };
    await assert.rejects(kept("thing", fail, root), /disk full/);
    assert.deepEqual(readdirSync(root), []);
    const make = async (folder: string): Promise<void> => writeFileSync(join(folder, "file"), "");
    const made = await kept("thing", make, root);
    assert.ok(existsSync(join(made, "file")));
    assert.equal(await kept("thing", fail, root), made);
  });
});

describe("the client of gRPC C++", () => {
  it("makes and counts the calls that it is told to make", { timeout: 300_000 }, async (t) => {
    const found = await grpcCpp.find();
    if ("missing" in found) return t.skip(found.missing);
    const start = (name: "client" | "server", args: readonly string[]): Program => {
      const program = new Program({ name, path: found.vars[name]!, isCommand: true, args });
      t.after(() => program.stop());
      return program;
    };
    const { port } = await start("server", []).ready();
    const client = start("client", [String(port)]);
    await client.ready();
    const load = { op: "run", method: "echo", bytes: 64, seconds: 0.2, keep: true } as const;

    const closed = await client.run({ ...load, inFlight: 4, series: "closed" });
    assert.ok(closed.calls > 0 && closed.seconds > 0);
    const figures = await client.figures("closed");
    // Those that were under way at the end have latencies and do not count.
    const surplus = figures.samples - closed.calls;
    assert.ok(surplus >= 0 && surplus <= 4, `${surplus} more latencies than calls`);
    assert.ok(figures.minUs! <= figures.p50Us! && figures.p50Us! <= figures.p99Us!);

    const put = await client.run({ ...load, method: "put", bytes: 100_000, inFlight: 2 });
    assert.ok(put.calls > 0);

    const rate = 2000;
    await client.takeHistogram();
    const open = await client.run({ ...load, inFlight: 1, rate, seed: 7 });
    const { samples, histogram } = await client.takeHistogram();
    // The times are those of arrivals.ts: as many are due, and each was made or shed.
    const next = poissonArrivals(rate, 7);
    let due = 0;
    while (next() <= load.seconds * 1000) due++;
    assert.equal(samples + open.shed!, due);
    assert.equal(
      histogram!.reduce((total, [, count]) => total + count, 0),
      samples,
    );
    assert.equal((await client.takeHistogram()).samples, 0);
  });

  it("says what it expects", { timeout: 60_000 }, async (t) => {
    const found = await grpcCpp.find();
    if ("missing" in found) return t.skip(found.missing);
    const client = spawnProgram(found.vars["client"]!);
    t.after(() => client.stop());
    assert.equal((await client.exit(30_000)).code, 1);
    assert.match(client.output(), /expected the port of the server/);
  });
});
