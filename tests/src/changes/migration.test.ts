/** Apps move from one runtime to another while their calls are in flight. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { type Ending, until } from "@koala/testing";
import { postAdmin } from "../stage/admin-post.ts";
import { atEnd, type Daemon, startCluster, startDaemon } from "../stage/cluster.ts";
import { DepotLoad } from "../stage/depot-load.ts";
import { attachHere } from "../stage/faults-pair.ts";
import { type Depot, depotOf, outcomeOf, serveDepot } from "../stage/faults-service.ts";

const three = { daemonKeys: "runtimes = 3" };

async function startDepot(t: Ending, client: Daemon, server: Daemon = client): Promise<Depot> {
  await serveDepot(await attachHere(t, server, "depot"), "depot");
  const depot = depotOf(await attachHere(t, client, "client"), "depot");
  await until("the first call", async () => (await outcomeOf(depot.echo({}))) === "OK");
  return depot;
}

function startLoad(t: Ending, depot: Depot, callsAtOnce: number, sizes: number[]): DepotLoad {
  const load = new DepotLoad(depot, callsAtOnce, sizes);
  atEnd(t, () => load.stop());
  return load;
}

/** Id and runtime of an app. */
async function find(daemon: Daemon, name: string): Promise<{ app: number; runtime: number }> {
  const { runtimes } = await daemon.status();
  const found = runtimes.flatMap(({ apps }) => apps).find((app) => app.name === name);
  assert.ok(found !== undefined, `${name} is attached`);
  return { app: found.id, runtime: found.runtime };
}

/** Moves an app on by some runtimes, and sees that it is there. */
async function moveOn(daemon: Daemon, name: string, steps: number, of: number): Promise<number> {
  const { app, runtime } = await find(daemon, name);
  const to = (runtime + steps) % of;
  const answer = await postAdmin(daemon.prefix, "/v1/runtimes/move", { app, runtime: to });
  assert.equal(answer.failed, 0);
  assert.deepEqual([answer.from, answer.to], [runtime, to]);
  assert.equal((await find(daemon, name)).runtime, to);
  return answer.pauseMicros;
}

test("client and server of one host move about under load: no call is lost", async (t) => {
  const daemon = await startDaemon(t, three);
  const depot = await startDepot(t, daemon);
  const load = startLoad(t, depot, 64, [0, 100, 3000, 20_000]);
  const pauses: number[] = [];
  for (let i = 0; i < 12; i++) {
    const name = i % 3 === 2 ? "depot" : "client";
    pauses.push(await moveOn(daemon, name, 1 + (i % 2), 3));
    await load.more(100);
    pauses.push(await moveOn(daemon, name === "client" ? "depot" : "client", 1, 3));
    await load.more(100);
  }
  await load.stop();
  t.diagnostic(`pauses in µs: ${pauses.sort((a, b) => a - b).join(" ")}`);
});

test("large messages, on one host and to a peer", async (t) => {
  const { a, b } = await startCluster(t, { daemonKeys: "runtimes = 2" });
  const far = await startDepot(t, a, b);
  await serveDepot(await attachHere(t, a, "near"), "near");
  const near = depotOf(await attachHere(t, a, "nearby"), "near");
  await until("the first call", async () => (await outcomeOf(near.echo({}))) === "OK");
  const sizes = [1_000_000, 10, 300_000];
  const loads = [startLoad(t, far, 8, sizes), startLoad(t, near, 4, sizes)];
  for (let i = 0; i < 4; i++) {
    for (const [daemon, name] of [
      [a, "client"],
      [b, "depot"],
      [a, "near"],
      [a, "nearby"],
    ] as const) {
      await moveOn(daemon, name, 1, 2);
    }
    for (const load of loads) await load.more(20);
  }
  for (const load of loads) await load.stop();
});

test("handlers that are at work when their app moves, or that of their caller", async (t) => {
  const daemon = await startDaemon(t, three);
  const depot = await startDepot(t, daemon);
  const calls = Array.from({ length: 20 }, (_, i) => depot.slow({ amount: 1500 + i }));
  const late = outcomeOf(depot.slow({ amount: 0 }, { timeoutMs: 1200 }));
  const abort = new AbortController();
  const given = outcomeOf(depot.slow({ amount: 0 }, { signal: abort.signal }));
  await until("the calls", async () => {
    const { runtimes } = await daemon.status();
    return runtimes.flatMap(({ apps }) => apps).some(({ incoming }) => incoming === 22);
  });
  for (const name of ["depot", "client", "depot", "depot", "client"]) {
    await moveOn(daemon, name, 1, 3);
  }
  abort.abort();
  assert.match(await given, /^CANCELLED/);
  assert.match(await late, /^DEADLINE_EXCEEDED/);
  const replies = await Promise.all(calls);
  assert.deepEqual(
    replies.map(({ amount }) => amount),
    calls.map((_, i) => 1500 + i),
  );
  await until("no open calls", async () => {
    const { runtimes } = await daemon.status();
    return runtimes.every(({ openCalls }) => openCalls === 0);
  });
});

test("descriptors do not grow, and an app that has moved can end", async (t) => {
  const daemon = await startDaemon(t, { daemonKeys: "runtimes = 2" });
  const count = (): number => readdirSync(`/proc/${daemon.pid}/fd`).length;
  const depot = await startDepot(t, daemon);
  await moveOn(daemon, "client", 1, 2);
  await moveOn(daemon, "client", 1, 2);
  await until("the first calls", async () => (await outcomeOf(depot.echo({}))) === "OK");
  const before = count();
  for (let i = 0; i < 10; i++) {
    await moveOn(daemon, i % 2 === 0 ? "client" : "depot", 1, 2);
    assert.equal(await outcomeOf(depot.echo({ amount: i })), "OK");
  }
  await until("the descriptors to be as before", () => count() <= before);
  const guest = await attachHere(t, daemon, "guest");
  await moveOn(daemon, "guest", 1, 2);
  await guest.close({ graceMs: 0 });
  await until("the descriptors of the guest to be closed", () => count() <= before);
});

const holding = `
[[policy]]
use = "null"

[[policy]]
use = "concurrency"
match = { side = "client" }
[policy.config]
limit = 20
queue = { length = 500, wait = "60s", target = "60s", interval = "60s" }

[[policy]]
use = "retry"
`;
const passing = `[[policy]]\nuse = "null"\n`;

for (const [what, config, rounds, change] of [
  [
    "policies that hold calls, and newer frontends in between",
    holding,
    4,
    (daemon: Daemon) => postAdmin(daemon.prefix, "/v1/upgrade", { module: "frontend" }),
  ],
  ["a policy, and new processes in between", passing, 2, (daemon: Daemon) => daemon.upgrade()],
] as const) {
  test(what, async (t) => {
    const daemon = await startDaemon(t, { daemonKeys: "runtimes = 2", config });
    const depot = await startDepot(t, daemon);
    const load = startLoad(t, depot, 64, [0, 3000]);
    for (let i = 0; i < rounds; i++) {
      const slow = Array.from({ length: 5 }, (_, index) => depot.slow({ amount: 500 + index }));
      await moveOn(daemon, i % 2 === 0 ? "depot" : "client", 1, 2);
      await load.more(50);
      await change(daemon);
      await load.more(50);
      const replies = await Promise.all(slow);
      assert.deepEqual(
        replies.map(({ amount }) => amount),
        slow.map((_, index) => 500 + index),
      );
    }
    await load.stop();
    await until("no open calls", async () => {
      const { runtimes } = await daemon.status();
      return runtimes.every(({ openCalls }) => openCalls === 0);
    });
  });
}

test("what can't be moved stays, with a reason", async (t) => {
  const daemon = await startDaemon(t, { daemonKeys: "runtimes = 2" });
  const depot = await startDepot(t, daemon);
  const { app, runtime } = await find(daemon, "client");
  const move = (body: { app: number; runtime: number }) =>
    postAdmin(daemon.prefix, "/v1/runtimes/move", body);
  await assert.rejects(move({ app: 4711, runtime: 0 }), /ERR_ENGINE_APP.*4711/);
  await assert.rejects(move({ app, runtime: 7 }), /ERR_ENGINE_RUNTIME.*there are: 0, 1/);
  assert.equal((await move({ app, runtime })).pauseMicros, 0);
  assert.equal(await outcomeOf(depot.echo({})), "OK");
});
