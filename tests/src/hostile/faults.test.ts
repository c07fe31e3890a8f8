/**
 * Parties that are killed or stopped while calls are in flight: every pending call ends with a status
 * that says who is to blame, others do not notice, and what the dead held comes back.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Child, countDescriptors, countMappings, freeze, until } from "@koala/testing";
import {
  type Cluster,
  type Daemon,
  startApp,
  startCluster,
  startDaemon,
} from "../stage/cluster.ts";
import { attachHere, startHealthyPair } from "../stage/faults-pair.ts";
import { depotOf, outcomeOf, serveDepot } from "../stage/faults-service.ts";

/**
 * Calls must end within a second; the deadline of the tests is larger because the machine that runs them
 * may be busy. What it took is in the output.
 */
const endDeadlineMs = 5000;
const calls = 30;
const large = 1 << 20;

interface Ask {
  method: "echo" | "slow" | "fill";
  count?: number;
  bytes?: number;
  amount?: number;
  timeoutMs?: number;
}

async function startClient(
  t: Parameters<typeof startApp>[0],
  daemon: Daemon,
  target: string,
): Promise<Child> {
  const client = startApp(t, daemon, "faults-client", [target]);
  await client.line(/^ready$/);
  return client;
}

async function startServer(
  t: Parameters<typeof startApp>[0],
  daemon: Daemon,
  name: string,
): Promise<Child> {
  const server = startApp(t, daemon, "faults-server", [name]);
  await server.line(/^serving$/);
  return server;
}

async function ask(client: Child, what: Ask): Promise<void> {
  client.write(JSON.stringify(what));
  await client.line(/^started$/);
}

/** How the calls that were asked for ended. */
async function ended(client: Child, deadlineMs?: number): Promise<Record<string, number>> {
  return JSON.parse((await client.line(/^ended (.*)$/, deadlineMs))[1]!);
}

/** Waits until the server apps of this name have so many calls. */
async function untilServing(daemon: Daemon, name: string, count: number): Promise<void> {
  await until(`${count} calls at ${name}`, async () => {
    const { runtimes } = await daemon.status();
    const apps = runtimes
      .flatMap((runtime) => runtime.apps)
      .filter((app) => app.exports.includes(name));
    return apps.reduce((sum, { incoming }) => sum + incoming, 0) >= count;
  });
}

/** Waits until a call crosses the link, so that the server is known over there. */
async function untilReachable(client: Child): Promise<void> {
  for (;;) {
    await ask(client, { method: "echo", timeoutMs: 5000 });
    if ("OK" in (await ended(client))) return;
  }
}

const daemons = ["one daemon", "two daemons"] as const;

async function start(t: Parameters<typeof startApp>[0], where: string): Promise<Cluster> {
  if (where === "two daemons") return await startCluster(t);
  const daemon = await startDaemon(t);
  return { a: daemon, b: daemon };
}

for (const where of daemons) {
  for (const bytes of [0, large]) {
    test(`the server app is killed: ${where}, ${bytes} bytes`, async (t) => {
      const { a, b } = await start(t, where);
      const pair = await startHealthyPair(t, a, b);
      const server = await startServer(t, b, "fragile");
      const client = await startClient(t, a, "fragile");
      await untilReachable(client);
      await ask(client, { method: "slow", count: calls, bytes });
      await untilServing(b, "fragile", calls);
      const killedAt = performance.now();
      server.kill();
      assert.deepEqual(await ended(client, endDeadlineMs), { "UNAVAILABLE/remote-app": calls });
      t.diagnostic(`ended after ${Math.round(performance.now() - killedAt)} ms`);
      await pair.check();
      // Somebody else takes the name over.
      await startServer(t, b, "fragile");
      await untilReachable(client);
    });
  }

  test(`clients and servers are killed again and again, and all comes back: ${where}`, async (t) => {
    const { a, b } = await start(t, where);
    const pair = await startHealthyPair(t, a, b);
    await serveDepot(await attachHere(t, b, "steady"), "steady");
    const held = (daemon: Daemon) => ({
      memfds: countDescriptors(daemon.pid, /memfd:koala/),
      eventfds: countDescriptors(daemon.pid, /eventfd/),
      sockets: countDescriptors(daemon.pid, /socket/),
      mappings: countMappings(daemon.pid, /memfd:koala-(rings|send)/),
    });
    const round = async (i: number): Promise<void> => {
      const server = await startServer(t, b, "fragile");
      const clients = await Promise.all(
        ["fragile", "steady"].map((name) => startClient(t, a, name)),
      );
      for (const client of clients) {
        await untilReachable(client);
        await ask(client, { method: "slow", count: 5, bytes: i % 2 === 0 ? 100 : large });
        await ask(client, { method: "fill", count: 20, amount: large });
      }
      const victims = [server, ...clients];
      for (const victim of i % 2 === 0 ? victims : victims.reverse()) victim.kill();
      await Promise.all(victims.map((victim) => victim.exit()));
      for (const daemon of new Set([a, b])) {
        await until("the end of the dead", async () => {
          const { counters, runtimes } = await daemon.status();
          const apps = runtimes.flatMap((runtime) => runtime.apps);
          return (
            counters.apps === apps.length &&
            apps.every(({ name }) => !/fragile|steady-/.test(name) && !name.startsWith("faults"))
          );
        });
      }
    };
    await round(0);
    const before = [a, b].map(held);
    // Seven rounds with three dead each: more than twenty.
    for (let i = 1; i <= 7; i++) await round(i);
    await until("the same descriptors and mappings", () => {
      const now = [a, b].map(held);
      return now.every((counts, i) =>
        Object.entries(counts).every(
          ([key, count]) => count <= before[i]![key as "memfds"] + slack(key),
        ),
      );
    });
    await pair.check();
    await until(
      "no call is open but those of the pair",
      async () => (await a.status()).counters.openCalls <= 4,
    );
  });

  test(`a server app that stops reading: ${where}`, async (t) => {
    const { a, b } = await start(t, where);
    const pair = await startHealthyPair(t, a, b);
    const server = await startServer(t, b, "stuck");
    const client = await startClient(t, a, "stuck");
    await untilReachable(client);
    const before = (await b.status()).memory.rssBytes;
    await freeze(server.pid);
    t.after(() => server.kill("SIGCONT"));
    await ask(client, { method: "echo", count: 3000, bytes: 2000, timeoutMs: 1000 });
    await ask(client, { method: "echo", count: 100, bytes: large, timeoutMs: 1000 });
    const [first, second] = [await ended(client), await ended(client)];
    const statuses = Object.keys({ ...first, ...second });
    for (const status of statuses)
      assert.match(status, /^(DEADLINE_EXCEEDED|RESOURCE_EXHAUSTED)\//);
    await pair.check();
    const growth = (await b.status()).memory.rssBytes - before;
    assert.ok(growth < 600 << 20, `the daemon grew by ${growth >> 20} MiB`);
    server.kill("SIGCONT");
    await untilReachable(client);
    await until("no open calls", async () => (await a.status()).counters.openCalls <= 4);
  });
}

/** The heaps of the pair that stays may have a region more or less at any moment. */
function slack(key: string): number {
  return key === "memfds" ? 2 : 0;
}

test("daemon B is killed: calls over its link end, those on A go on", async (t) => {
  const { a, b } = await startCluster(t);
  const pair = await startHealthyPair(t, a);
  await startServer(t, b, "remote");
  const client = await startClient(t, a, "remote");
  await untilReachable(client);
  await ask(client, { method: "slow", count: calls });
  await ask(client, { method: "slow", count: 4, bytes: 5 * large });
  await untilServing(b, "remote", calls + 4);
  await ask(client, { method: "fill", count: 20, amount: 5 * large });
  const killedAt = performance.now();
  await b.kill();
  for (let i = 0; i < 3; i++) {
    for (const outcome of Object.keys(await ended(client, endDeadlineMs))) {
      assert.match(outcome, /^(UNAVAILABLE\/(link|local-daemon)|OK)$/);
    }
  }
  t.diagnostic(`ended after ${Math.round(performance.now() - killedAt)} ms`);
  await pair.check();
  await until(
    "nothing in flight on A but the pair",
    async () => (await a.status()).counters.openCalls <= 4,
  );
});

test("daemon A is killed: its clients are told, the server is told, B goes on", async (t) => {
  const { a, b } = await startCluster(t);
  const pair = await startHealthyPair(t, b);
  await startServer(t, b, "remote");
  const client = await startClient(t, a, "remote");
  await untilReachable(client);
  await ask(client, { method: "slow", count: calls, bytes: 1000 });
  await untilServing(b, "remote", calls);
  const killedAt = performance.now();
  await a.kill();
  assert.deepEqual(await ended(client, endDeadlineMs), { "UNAVAILABLE/local-daemon": calls });
  t.diagnostic(`ended after ${Math.round(performance.now() - killedAt)} ms`);
  // Handlers are told to stop, and their replies, which nobody reads, end the calls.
  await until("the end of the calls on B", async () => (await b.status()).counters.openCalls <= 4);
  await pair.check();
});

test("a client is killed in the middle of large messages: the server goes on for others", async (t) => {
  const { a, b } = await startCluster(t);
  const pair = await startHealthyPair(t, a, b);
  const mesh = await attachHere(t, b, "steady");
  await serveDepot(mesh, "steady");
  const witness = depotOf(await attachHere(t, a, "witness"), "steady");
  await until("the steady server", async () => (await outcomeOf(witness.echo({}))) === "OK");
  for (let i = 0; i < 5; i++) {
    const client = await startClient(t, a, "steady");
    await ask(client, { method: "echo", count: 20, bytes: 10 * large });
    client.kill();
    await client.exit();
    assert.equal(
      await outcomeOf(witness.echo({ data: new Uint8Array(3 * large) }, { timeoutMs: 10_000 })),
      "OK",
    );
  }
  await pair.check();
});
