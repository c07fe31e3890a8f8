import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "@koala/mrpc";
import { RpcError, Status } from "@koala/mrpc";
import { type Child, type Ending, until } from "@koala/testing";
import { Cellar, Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { askAdmin } from "../stage/admin.ts";
import { type Daemon, startCluster, startDaemon } from "../stage/cluster.ts";
import { connectTo, startKitchen, untilPrinted } from "../stage/kitchen.ts";

const daemonKeys = "runtimes = 3";
const serverCount = 3;
const clientCount = 6;

type KitchenCalls = Client<typeof Kitchen>;

/** Where servers and clients are: on one host, or on two. */
async function startHosts(
  test: Ending,
  hosts: number,
): Promise<{ client: Daemon; server: Daemon }> {
  if (hosts === 2) {
    const { a, b } = await startCluster(test, { daemonKeys });
    return { client: a, server: b };
  }
  const daemon = await startDaemon(test, { daemonKeys });
  return { client: daemon, server: daemon };
}

async function startServers(test: Ending, daemon: Daemon): Promise<Child[]> {
  return await Promise.all(Array.from({ length: serverCount }, () => startKitchen(test, daemon)));
}

async function connectClients(test: Ending, daemon: Daemon): Promise<KitchenCalls[]> {
  const clients: KitchenCalls[] = [];
  for (let index = 0; index < clientCount; index++) {
    clients.push((await connectTo(test, daemon)).client(Kitchen, "kitchen"));
  }
  return clients;
}

/** How often each server process answers. */
async function countServers(client: KitchenCalls, calls: number): Promise<Map<number, number>> {
  const asked = Array.from({ length: calls }, () => client.who({}, { waitForReady: true }));
  const counts = new Map<number, number>();
  for (const { pid } of await Promise.all(asked)) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  return counts;
}

/** Waits until every client's calls reach so many servers. */
async function untilServed(clients: readonly KitchenCalls[], servers: number): Promise<void> {
  for (const client of clients) {
    await until(`${servers} servers answer`, async () => {
      return (await countServers(client, 2 * serverCount)).size === servers;
    });
  }
}

/** Waits until no client's calls go to a server that was killed; what is lost meanwhile has a status. */
async function untilLeft(clients: readonly KitchenCalls[], killed: Child): Promise<void> {
  for (const client of clients) {
    await until("the others serve", async () => {
      const asked = Array.from({ length: 2 * serverCount }, () => client.who({}));
      const replies = await Promise.allSettled(asked);
      return replies.every((reply) => {
        if (reply.status === "fulfilled") return reply.value.pid !== killed.pid;
        assert.equal(reply.reason.statusName, "UNAVAILABLE");
        return false;
      });
    });
  }
}

/** How a call ended. */
async function endOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "OK";
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return `${error.statusName} ${error.origin}`;
  }
}

for (const hosts of [1, 2]) {
  test(`apps on all runtimes call servers on all runtimes, ${hosts} host(s)`, async (t) => {
    const { client, server } = await startHosts(t, hosts);
    const servers = await startServers(t, server);
    const clients = await connectClients(t, client);
    await untilServed(clients, serverCount);

    const { apps } = await askAdmin(server.prefix, "/v1/apps");
    const runtimes = apps.filter((app) => app.exports.length > 0).map((app) => app.runtime);
    assert.deepEqual(runtimes.sort(), [0, 1, 2]);

    const calls = 60;
    for (const counts of await Promise.all(clients.map((each) => countServers(each, calls)))) {
      assert.deepEqual([...counts.keys()].sort(), servers.map(({ pid }) => pid).sort());
      const shares = [...counts.values()];
      const least = calls / serverCount / 2;
      assert.ok(Math.min(...shares) >= least, `calls a server: ${shares}`);
    }

    const { links } = await askAdmin(client.prefix, "/v1/links");
    assert.equal(links.length, hosts === 1 ? 0 : 3, "links between runtimes are not shown");
    for (const link of links) assert.equal(link.services[0]?.instances, serverCount);
  });

  test(`messages of all sizes pass between runtimes, ${hosts} host(s)`, async (t) => {
    const { client, server } = await startHosts(t, hosts);
    await startServers(t, server);
    const clients = await connectClients(t, client);
    await untilServed(clients, serverCount);
    for (const bytes of [0, 100, 40_000, 400_000, 2_500_000]) {
      const text = "ü".repeat(Math.min(bytes, 300_000));
      const data = new Uint8Array(bytes).map((_, at) => at * 7);
      const moreData = data.subarray(bytes >> 1);
      // One after the other for each client, so that each server gets each size from somebody.
      await Promise.all(
        clients.slice(0, 3).map(async (each) => {
          for (let turn = 0; turn < serverCount; turn++) {
            const dish = await each.echo({ text, data, moreData });
            assert.equal(dish.text === text, true, `text of ${bytes}`);
            assert.equal(Buffer.compare(dish.data, data), 0);
            assert.equal(Buffer.compare(dish.moreData, moreData), 0);
          }
        }),
      );
    }
  });

  test(`a server is killed while it serves other runtimes, ${hosts} host(s)`, async (t) => {
    const { client, server } = await startHosts(t, hosts);
    const servers = await startServers(t, server);
    const clients = await connectClients(t, client);
    await untilServed(clients, serverCount);
    const keys = clients.flatMap((_, index) => [1, 2, 3].map((turn) => `${index}-${turn}`));
    const ends = Promise.all(
      keys.map((key) => endOf(clients[Number.parseInt(key, 10)]!.wait({ key }))),
    );
    const begun = (child: Child): number => child.output().match(/^began/gm)?.length ?? 0;
    await until("all calls have begun", () => {
      return servers.reduce((sum, child) => sum + begun(child), 0) === keys.length;
    });
    const [killed, ...rest] = servers;
    const lost = begun(killed!);
    killed!.kill();
    await untilLeft(clients, killed!);
    release(rest, keys);
    const failed = (await ends).filter((end) => end !== "OK");
    assert.deepEqual(failed, new Array<string>(lost).fill("UNAVAILABLE remote-app"));
    await daemonHasNoCalls(server);
    await daemonHasNoCalls(client);
  });

  test(`errors name the right party across runtimes, ${hosts} host(s)`, async (t) => {
    const { client, server } = await startHosts(t, hosts);
    const child = await startKitchen(t, server);
    const mesh = await connectTo(t, client);
    await connectClients(t, client);
    const clients = await connectClients(t, client);
    await untilServed(clients, 1);
    for (const [index, each] of clients.entries()) {
      const failure = each.fail({ status: Status.NOT_FOUND, message: "no such dish" });
      assert.equal(await endOf(failure), "NOT_FOUND remote-app");
      const late = each.wait({ key: `late${index}`, heed: true }, { timeoutMs: 50 });
      assert.match(await endOf(late), /^DEADLINE_EXCEEDED (app|local-daemon)$/);
      const controller = new AbortController();
      const given = each.wait({ key: `given${index}`, heed: true }, { signal: controller.signal });
      const end = endOf(given);
      await untilPrinted(child, new RegExp(`^began given${index}$`, "m"));
      controller.abort();
      assert.equal(await end, "CANCELLED app");
      await untilPrinted(child, new RegExp(`^aborted given${index} `, "m"));
    }
    for (let turn = 0; turn < 3; turn++) {
      const other = await connectTo(t, client);
      assert.equal(
        await endOf(other.client(Cellar, "kitchen").fetch({})),
        "UNIMPLEMENTED local-daemon",
      );
    }
    const nobody = mesh.client(Kitchen, "nobody").who({});
    await assert.rejects(
      nobody,
      hosts === 1 ? /this host serves kitchen;/ : /b \(.*\) serves kitchen/,
    );
  });
}

function release(servers: readonly Child[], keys: readonly string[]): void {
  for (const child of servers) for (const key of keys) child.write(`release ${key}`);
}

async function daemonHasNoCalls(daemon: Daemon): Promise<void> {
  await until("no calls are open", async () => (await daemon.status()).counters.openCalls === 0);
}

test("a daemon that drains waits for calls between its runtimes", async (t) => {
  const daemon = await startDaemon(t, { daemonKeys });
  const servers = await startServers(t, daemon);
  const [client] = await connectClients(t, daemon);
  await untilServed([client!], serverCount);
  const keys = ["1", "2", "3"];
  const ends = Promise.all(keys.map((key) => endOf(client!.wait({ key }))));
  for (const child of servers) await untilPrinted(child, /^began/m);
  const stopped = daemon.stop();
  await untilPrinted(daemon.child, / draining/);
  release(servers, keys);
  assert.deepEqual(await ends, ["OK", "OK", "OK"]);
  assert.deepEqual(await stopped, { code: 0, signal: null });
});
