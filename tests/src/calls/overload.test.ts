/** More than there is room for: it waits or is refused with a status, and afterwards all is as before. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { freeze, until } from "@koala/testing";
import { type Daemon, startApp, startCluster, startDaemon } from "../stage/cluster.ts";
import { attachHere, startHealthyPair } from "../stage/faults-pair.ts";
import { type Depot, depotOf, outcomeOf, serveDepot } from "../stage/faults-service.ts";

const miB = 1 << 20;

/** How many calls ended how. */
async function countOutcomes(calls: readonly Promise<unknown>[]): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const outcome of await Promise.all(calls.map(outcomeOf))) {
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return counts;
}

async function startDepot(
  t: Parameters<typeof startApp>[0],
  server: Daemon,
  client: Daemon = server,
): Promise<Depot> {
  await serveDepot(await attachHere(t, server, "depot"), "depot");
  const depot = depotOf(await attachHere(t, client, "client"), "depot");
  await until("the first call", async () => (await outcomeOf(depot.echo({}))) === "OK");
  return depot;
}

test("20 000 calls at once, over a link: all end well or are refused, none is lost", async (t) => {
  const { a, b } = await startCluster(t);
  const pair = await startHealthyPair(t, a, b);
  const depot = await startDepot(t, b, a);
  const counts = await countOutcomes(
    Array.from({ length: 20_000 }, () => depot.echo({ amount: 1 })),
  );
  t.diagnostic(JSON.stringify(counts));
  const { OK = 0, ...others } = counts;
  assert.ok(OK >= 2048);
  for (const other of Object.keys(others)) assert.match(other, /^RESOURCE_EXHAUSTED\//);
  await pair.check();
  assert.equal(await outcomeOf(depot.echo({ data: new Uint8Array(miB) })), "OK");
});

test("a small receive heap: large requests wait for their turn", async (t) => {
  const b = await startDaemon(t, {
    name: "b",
    config: "[limits]\nmessage = '1MiB'\nreceive_heap = '2MiB'\nheap_region = '256KiB'\n",
  });
  const a = await startDaemon(t, { name: "a", peers: [b] });
  await a.child.line(/ link up /);
  const depot = await startDepot(t, b, a);
  const data = new Uint8Array(700_000).fill(3);
  const counts = await countOutcomes(Array.from({ length: 60 }, () => depot.echo({ data })));
  t.diagnostic(JSON.stringify(counts));
  const { OK = 0, ...others } = counts;
  assert.ok(OK > 0);
  for (const other of Object.keys(others)) assert.match(other, /^RESOURCE_EXHAUSTED\//);
  await assert.rejects(
    depot.echo({ data: new Uint8Array(2 * miB) }),
    /RESOURCE_EXHAUSTED.*message/,
  );
  assert.equal(await outcomeOf(depot.echo({ data })), "OK");
});

test("a small send heap: large requests wait for their turn, larger ones name the setting", async (t) => {
  const daemon = await startDaemon(t, {
    config: "[limits]\nmessage = '1MiB'\nsend_heap = '2MiB'\nheap_region = '256KiB'\n",
  });
  const depot = await startDepot(t, daemon);
  const data = new Uint8Array(700_000).fill(3);
  const counts = await countOutcomes(Array.from({ length: 60 }, () => depot.echo({ data })));
  assert.deepEqual(counts, { OK: 60 });
  await assert.rejects(
    depot.echo({ data: new Uint8Array(2 * miB) }),
    /RESOURCE_EXHAUSTED.*message/,
  );
  await assert.rejects(depot.fill({ amount: 2 * miB }), /RESOURCE_EXHAUSTED.*message/);
  assert.equal(await outcomeOf(depot.echo({ data })), "OK");
});

test("heaps that grew are given back", async (t) => {
  const daemon = await startDaemon(t, { config: "[limits]\nheap_region = '1MiB'\n" });
  const depot = await startDepot(t, daemon);
  const heaps = async () => {
    const { runtimes } = await daemon.status();
    const apps = runtimes.flatMap((runtime) => runtime.apps);
    return apps.reduce((sum, app) => sum + app.sendHeapBytes + app.receiveHeapBytes, 0);
  };
  const before = await heaps();
  const data = new Uint8Array(4 * miB).fill(3);
  const { OK } = await countOutcomes(Array.from({ length: 12 }, () => depot.echo({ data })));
  assert.equal(OK, 12);
  const grown = await heaps();
  assert.ok(grown > before + 30 * miB);
  // It takes some small calls for a process to notice that it has blocks to give back.
  await until(
    "the heaps as they were",
    async () => {
      await depot.echo({ amount: 1 });
      return (await heaps()) <= before + 2 * miB;
    },
    25_000,
  );
});

test("a client that stops while large replies come: others go on, and its end frees everything", async (t) => {
  const daemon = await startDaemon(t, {
    config:
      "[limits]\nmessage = '2MiB'\nreceive_heap = '8MiB'\nsend_heap = '64MiB'\nheap_region = '1MiB'\n",
  });
  const pair = await startHealthyPair(t, daemon);
  const depot = await startDepot(t, daemon);
  for (let round = 0; round < 4; round++) {
    const client = startApp(t, daemon, "faults-client", ["depot"]);
    await client.line(/^ready$/);
    client.write(JSON.stringify({ method: "fill", count: 40, amount: miB }));
    client.write(JSON.stringify({ method: "fill", count: 40, amount: miB, timeoutMs: 500 }));
    await client.line(/^started$/);
    await freeze(client.pid);
    assert.equal(await outcomeOf(depot.echo({ amount: 1 }, { timeoutMs: 10_000 })), "OK");
    await pair.check();
    client.kill("SIGKILL");
    await client.exit();
  }
  // Replies that nobody took must not occupy the server's send heap: there is room for many more.
  for (let i = 0; i < 10; i++) {
    const counts = await countOutcomes(
      Array.from({ length: 8 }, () =>
        depot.fill({ amount: 2 * miB - 4096 }, { timeoutMs: 20_000 }),
      ),
    );
    assert.deepEqual(counts, { OK: 8 });
  }
  await until("no open calls", async () => (await daemon.status()).counters.openCalls <= 4);
});
