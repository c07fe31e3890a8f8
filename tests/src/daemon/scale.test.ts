/** Many connections on one daemon, many services of one daemon, and what happens where the limits are. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect, type Mesh } from "@koala/mrpc";
import { closeFd, SOCKET_SEQPACKET, unixConnect } from "@koala/native";
import { CONTROL_SOCKET } from "@koala/protocol";
import { countDescriptors, countMappings, countMemfds, spawnNode, until } from "@koala/testing";
import {
  atEnd,
  createFolder,
  type Daemon,
  startApp,
  startCluster,
  startDaemon,
} from "../stage/cluster.ts";
import { attachHere } from "../stage/faults-pair.ts";
import { depotOf, depotService, outcomeOf, serveDepot } from "../stage/faults-service.ts";

const processes = 4;
const connectionsEach = 500;
/** Of a connection that has made a call, and what a daemon needs for itself. */
const descriptorsEach = 6;
const descriptorsKept = 512;
/** Kilobytes of live heap that a connection may leave behind: what is kept for the next ones varies a little. */
const leftEach = 2;
const roundDeadlineMs = 120_000;
const config = "[limits]\napps = 4096\n";

/** What apps cost the daemon, as far as it has to come back at once. */
function costOf({ pid }: Daemon): Record<"descriptors" | "memfds" | "mappings", number> {
  return {
    descriptors: countDescriptors(pid),
    memfds: countMemfds(pid),
    mappings: countMappings(pid),
  };
}

/**
 * Kilobytes that JavaScript needs in a daemon with `live-heap` after the next collection of garbage. What is resident
 * says little: the collector keeps what it has once got.
 */
async function liveHeapOf(daemon: Daemon): Promise<number> {
  const collections = () => [...daemon.log().matchAll(/^live heap 0 (\d+)$/gm)];
  const before = collections().length;
  await until("two collections of garbage", () => collections().length >= before + 2);
  return Number(collections().at(-1)![1]);
}

function openFilesMax(): number {
  const limits = readFileSync("/proc/self/limits", "latin1");
  const [, soft] = /^Max open files\s+(\S+)/m.exec(limits)!;
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
}

test("2000 connections attach, call and leave, twice, and all of it comes back", async (t) => {
  const fit = Math.floor((openFilesMax() - descriptorsKept) / (descriptorsEach * processes));
  const each = Math.min(connectionsEach, fit);
  if (each < connectionsEach)
    t.diagnostic(`${each * processes} connections, as the limit of open files is low`);
  const liveHeap = new URL("../programs/live-heap.js", import.meta.url);
  const daemon = await startDaemon(t, { config, env: { NODE_OPTIONS: `--import ${liveHeap}` } });
  await serveDepot(await attachHere(t, daemon, "server"), "scale");
  // Whatever the first connection has loaded, and the region of the server's first request, is there to stay.
  await round(t, daemon, 1);
  const before = costOf(daemon);
  const live: number[] = [];
  for (let turn = 1; turn <= 2; turn++) {
    await round(t, daemon, each);
    // A connection to the admin socket more or less may be about to close.
    await until(`what round ${turn} has cost to come back`, () => {
      const { descriptors, memfds, mappings } = costOf(daemon);
      return (
        descriptors <= before.descriptors &&
        memfds === before.memfds &&
        mappings === before.mappings
      );
    });
    live.push(await liveHeapOf(daemon));
  }
  t.diagnostic(`live heap after each round: ${live.join(", ")} kB`);
  const [first, second] = live as [number, number];
  const most = first + leftEach * processes * each;
  assert.ok(second < most, `${first} kB after one round, ${second} kB after another`);
});

async function round(t: TestContext, daemon: Daemon, each: number): Promise<void> {
  const apps = Array.from({ length: processes }, () =>
    startApp(t, daemon, "scale-app", [String(each)]),
  );
  for (const app of apps) await app.line(new RegExp(`^called ${each}$`), roundDeadlineMs);
  const total = each * processes + 1;
  assert.equal((await daemon.status()).counters.apps, total);
  const memfds = countMemfds(daemon.pid);
  assert.ok(memfds <= 2 * total + 8, `${memfds} memfds for ${total} connections`);
  for (const app of apps) app.write("");
  for (const app of apps) await app.exit(roundDeadlineMs);
  await until(
    "the connections to be gone",
    async () => (await daemon.status()).counters.apps === 1,
  );
}

test("a daemon with few descriptors says so, refuses with a reason, and serves who is there", async (t) => {
  const prefix = createFolder(t);
  mkdirSync(prefix, { recursive: true });
  const child = spawnNode(
    new URL("../programs/limited-daemon.js", import.meta.url),
    ["300", "--prefix", prefix, "--listen", "127.0.0.1:0"],
    { env: { KOALA_LOG: "info", KOALA_LOG_FILE: "", KOALA_LOG_FORMAT: "text" } },
  );
  atEnd(t, () => child.stop());
  await child.line(/^koalad: ready/);
  assert.match(child.output(), /room for fewer apps than configured.*fit=\d+.*LimitNOFILE=/);
  const meshes: Mesh[] = [];
  atEnd(t, () => Promise.all(meshes.map((mesh) => mesh.close({ graceMs: 0 }))));
  const attachOne = async (): Promise<Mesh> => {
    const mesh = await connect({ prefix, log: () => {} });
    meshes.push(mesh);
    return mesh;
  };
  await serveDepot(await attachOne(), "limited");
  const first = depotOf(await attachOne(), "limited");
  await assert.rejects(
    async () => {
      for (let i = 0; i < 100; i++) await attachOne();
    },
    { code: "ERR_APP_DESCRIPTORS", message: /300.*LimitNOFILE/ },
  );
  assert.ok(meshes.length > 10, `${meshes.length} were attached`);
  // Messages that need regions of their own still find room.
  const { data } = await first.echo({ data: new Uint8Array(6 << 20).fill(1) });
  assert.equal(data.length, 6 << 20);
  // Another one fits as soon as one has left.
  const before = countDescriptors(process.pid);
  await meshes.pop()!.close();
  await until("room for another one", async () => {
    try {
      await attachOne();
      return true;
    } catch {
      return false;
    }
  });
  assert.equal(countDescriptors(process.pid), before);
});

test("who connects when no descriptor is left is told, too", async (t) => {
  const prefix = createFolder(t);
  const child = spawnNode(
    new URL("../programs/limited-daemon.js", import.meta.url),
    ["200", "--prefix", prefix, "--listen", "127.0.0.1:0"],
    { env: { KOALA_LOG: "info", KOALA_LOG_FILE: "", KOALA_LOG_FORMAT: "text" } },
  );
  atEnd(t, () => child.stop());
  await child.line(/^koalad: ready/);
  // Connections that say nothing take all that there are, until the daemon's patience ends.
  const silent: number[] = [];
  atEnd(t, () => silent.forEach(closeFd));
  for (let i = 0; i < 200; i++) {
    silent.push(unixConnect(join(prefix, CONTROL_SOCKET), SOCKET_SEQPACKET));
  }
  for (let i = 0; i < 3; i++) {
    await assert.rejects(connect({ prefix, log: () => {} }), { code: "ERR_APP_DESCRIPTORS" });
  }
  assert.doesNotMatch(child.output(), /accept failed/);
});

test("1000 services with long names are served by one app, and called over a link", async (t) => {
  const { a, b } = await startCluster(t, { config: "[limits]\nservices_per_app = 2048\n" });
  const server = await attachHere(t, b, "server");
  const nameOf = (index: number): string => `service-${index}-${"x".repeat(200)}`;
  const count = 1000;
  const together = 50;
  for (let at = 0; at < count; at += together) {
    const names = Array.from({ length: together }, (_, i) => nameOf(at + i));
    await Promise.all(names.map((name) => serveDepot(server, name)));
  }
  const client = await attachHere(t, a, "client");
  for (const index of [0, 1, 499, 998, 999]) {
    const call = depotOf(client, nameOf(index)).echo({}, { waitForReady: true, timeoutMs: 20_000 });
    assert.equal(await outcomeOf(call), "OK", nameOf(index));
  }
  // A daemon that comes later hears of all of them, too.
  const late = await startDaemon(t, { name: "late", peers: [b] });
  const other = await attachHere(t, late, "late-client");
  for (const index of [3, 996]) {
    const call = depotOf(other, nameOf(index)).echo({}, { waitForReady: true, timeoutMs: 20_000 });
    assert.equal(await outcomeOf(call), "OK", nameOf(index));
  }
  for (const { log } of [a, b, late]) assert.doesNotMatch(log(), /link down/);
});

test("threads that serve the same name take turns, and one that ends takes only its calls along", async (t) => {
  const daemon = await startDaemon(t);
  const { Worker } = await import("node:worker_threads");
  const start = async (text: string): Promise<InstanceType<typeof Worker>> => {
    const worker = new Worker(new URL("../programs/depot-worker.js", import.meta.url), {
      workerData: { prefix: daemon.prefix, name: "threads", text },
    });
    atEnd(t, () => worker.terminate());
    await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    return worker;
  };
  const workers = [await start("one"), await start("two"), await start("three")];
  const depot = depotOf(await attachHere(t, daemon, "client"), "threads");
  const counts = new Map<string, number>();
  for (let i = 0; i < 30; i++) {
    const { text } = await depot.echo({});
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  assert.deepEqual([...counts.values()], [10, 10, 10]);
  const slow = Array.from({ length: 6 }, () => outcomeOf(depot.slow({}, { timeoutMs: 60_000 })));
  await until("all of them in handlers", async () => {
    const { runtimes } = await daemon.status();
    return runtimes[0]!.apps.reduce((sum, { incoming }) => sum + incoming, 0) === 6;
  });
  await workers[1]!.terminate();
  const ended = new Map<number, string>();
  slow.forEach((outcome, index) => void outcome.then((text) => ended.set(index, text)));
  await until("the calls of the thread that ended", () => ended.size === 2);
  assert.deepEqual([...ended.values()], ["UNAVAILABLE/remote-app", "UNAVAILABLE/remote-app"]);
  const left = new Set<string>();
  for (let i = 0; i < 10; i++) left.add((await depot.echo({})).text);
  assert.deepEqual([...left].sort(), ["one", "three"]);
  assert.equal(ended.size, 2, "the others go on");
});

test("one process talks to two daemons that do not know of each other", async (t) => {
  const daemons = [await startDaemon(t, { name: "left" }), await startDaemon(t, { name: "right" })];
  const depots = await Promise.all(
    daemons.map(async (daemon) => {
      const mesh = await attachHere(t, daemon, daemon.name);
      await mesh.serve({ name: "same" }, (routes) =>
        routes.service(depotService, {
          echo: () => ({ text: daemon.name }),
          slow: () => ({}),
          fill: () => ({}),
        } as never),
      );
      return depotOf(mesh, "same");
    }),
  );
  const replies = await Promise.all(depots.flatMap((depot) => [depot.echo({}), depot.echo({})]));
  assert.deepEqual(
    replies.map(({ text }) => text),
    ["left", "left", "right", "right"],
  );
  await daemons[0]!.stop();
  assert.equal((await depots[1]!.echo({})).text, "right");
});
