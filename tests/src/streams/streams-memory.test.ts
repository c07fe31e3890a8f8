/**
 * What passes does not stay: a long stream through apps whose heaps are small. `STREAM_GB=10` makes it as long as
 * one likes.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { startApp } from "../stage/cluster.ts";
import { startTopology } from "../stage/kitchen.ts";

const gigabytes = Number(process.env["STREAM_GB"] ?? 0.5);
const messageBytes = 64 * 1024;
const messages = Math.ceil((gigabytes * 1e9) / messageBytes);
const timeout = 120_000 + gigabytes * 120_000;
const heap = { NODE_OPTIONS: "--max-old-space-size=64" };
const growthMax = 64 * 1024 * 1024;

/** Resident bytes of a process, shared memory included. */
function memoryOf(pid: number): number {
  const [, kiB] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kiB) * 1024;
}

it(`${gigabytes} GB pass, and memory stays flat in apps and daemons`, { timeout }, async (t) => {
  const daemons = await startTopology(t, 2);
  const server = startApp(t, daemons.server, "river-server", [], heap);
  await server.line(/^serving$/);
  const args = [String(messages), String(messageBytes)];
  const reader = startApp(t, daemons.client, "river-reader", args, heap);
  const pids = {
    reader: reader.pid,
    "reader's daemon": daemons.client.currentPid(),
    "server's daemon": daemons.server.currentPid(),
    server: server.pid,
  };
  const measure = (): [string, number][] =>
    Object.entries(pids).map(([name, pid]) => [name, memoryOf(pid)]);
  await reader.line(/^read 2$/, timeout);
  const before = new Map(measure());
  await reader.line(/^read 9$/, timeout);
  for (const [name, bytes] of measure()) {
    const growth = bytes - before.get(name)!;
    assert.ok(growth < growthMax, `the ${name} has grown by ${growth} bytes`);
  }
  await reader.line(new RegExp(`^all ${messages * messageBytes}$`), timeout);
});
