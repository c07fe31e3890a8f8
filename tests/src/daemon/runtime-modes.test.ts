/** Where apps go: modes, rules, threads tied to processors, runtimes that are made for one app. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Client, Mesh } from "@koala/mrpc";
import { until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { askAdmin } from "../stage/admin.ts";
import { createFolder, type Daemon, startDaemon } from "../stage/cluster.ts";
import { askRuntimes } from "../stage/crash.ts";
import { connectTo, startKitchen } from "../stage/kitchen.ts";

async function start(t: TestContext, runtimes: number, config: string): Promise<Daemon> {
  return await startDaemon(t, { daemonKeys: `runtimes = ${runtimes}`, config });
}

async function appsOf(daemon: Daemon): Promise<number[]> {
  return (await askRuntimes(daemon.prefix)).runtimes.map(({ apps }) => apps);
}

async function connectMany(t: TestContext, daemon: Daemon, count: number): Promise<Mesh[]> {
  const meshes: Mesh[] = [];
  for (let index = 0; index < count; index++) {
    meshes.push(await connectTo(t, daemon, { name: `app-${index}` }));
  }
  return meshes;
}

test("spread and compact", async (t) => {
  const spread = await start(t, 3, '[runtime]\nmode = "spread"\n');
  const compact = await start(t, 3, '[runtime]\nmode = "compact"\n');
  await connectMany(t, spread, 5);
  await connectMany(t, compact, 5);
  assert.deepEqual(await appsOf(spread), [2, 2, 1]);
  const [first, ...rest] = await appsOf(compact);
  assert.equal(first! + rest.reduce((sum, apps) => sum + apps, 0), 5);
  assert.ok(first! >= 3, "nothing that these apps do fills a runtime for long");
});

test("dedicated: a runtime for each app, made when there is none and up to a limit", async (t) => {
  const daemon = await start(t, 1, '[runtime]\nmode = "dedicated"\nruntimes_max = 3\n');
  await startKitchen(t, daemon);
  const [one, two, three] = (await connectMany(t, daemon, 3)) as [Mesh, Mesh, Mesh];
  const apps = await appsOf(daemon);
  assert.equal(apps.length, 3);
  assert.deepEqual(apps.sort(), [1, 1, 2], "there can't be more");
  // All reach each other, whoever came first.
  for (const mesh of [one, two, three]) {
    assert.ok((await mesh.client(Kitchen, "kitchen").who({}, { waitForReady: true })).pid > 0);
  }
  await Promise.all([one, two, three].map((mesh) => mesh.close()));
  const isAlone = async (): Promise<boolean> => (await appsOf(daemon)).length === 1;
  await until("what was made for them is gone", isAlone, 60_000);
  const again = await connectTo(t, daemon, { name: "again" });
  assert.ok((await again.client(Kitchen, "kitchen").who({}, { waitForReady: true })).pid > 0);
});

test("threads are tied to processors, and a machine that lacks something says so", async (t) => {
  const daemon = await start(t, 2, '[runtime]\naffinity = "core"\n');
  const { affinity, runtimes, notes } = await askRuntimes(daemon.prefix);
  assert.equal(affinity, "core");
  for (const { cpus, index } of runtimes) {
    assert.equal(cpus.length, 1, `runtime ${index}`);
  }
  const allowed = readdirSync(`/proc/${daemon.pid}/task`).map(
    (thread) =>
      /^Cpus_allowed_list:\s*(\S+)/m.exec(
        readFileSync(`/proc/${daemon.pid}/task/${thread}/status`, "utf8"),
      )?.[1],
  );
  for (const { cpus } of runtimes) assert.ok(allowed.includes(String(cpus[0])), `${cpus[0]}`);
  if (availableParallelism() > 1) {
    assert.notDeepEqual(runtimes[0]?.cpus, runtimes[1]?.cpus);
    assert.deepEqual(notes, []);
  } else {
    assert.match(notes.join(), /2 runtimes share 1 processors/);
  }
});

test("what a runtime does is shown without waking it for long", async (t) => {
  const daemon = await start(t, 1, "");
  await startKitchen(t, daemon);
  const kitchen = (await connectTo(t, daemon)).client(Kitchen, "kitchen");
  await kitchen.who({}, { waitForReady: true });
  await until("a busy runtime", async () => {
    await Promise.all(Array.from({ length: 500 }, () => kitchen.echo({ text: "x" })));
    const [runtime] = (await askRuntimes(daemon.prefix)).runtimes;
    return runtime!.load > 0 && runtime!.roundsPerSecond > 10;
  });
  const [busy] = (await askRuntimes(daemon.prefix)).runtimes;
  assert.ok(busy!.cpuSeconds > 0);
  assert.equal(busy!.apps, 2);
  assert.ok(busy!.engines >= 2);
  await until("an idle one", async () => {
    const [idle] = (await askRuntimes(daemon.prefix)).runtimes;
    return idle!.load < 0.1 && idle!.sleepsPerSecond < 500;
  });
});

/** Takes its time with every request. */
const slowPolicy = `import { definePolicy, z } from "@koala/policy";

export default definePolicy({
  name: "slow",
  version: "1.0.0",
  config: z.strictObject({}),
  onRequest(_, ctx) {
    const end = ctx.nowMicros() + 2000;
    while (ctx.nowMicros() < end);
  },
});
`;

test("rebalance: apps leave a runtime that is busy for one that is not", async (t) => {
  const prefix = createFolder(t);
  writeFileSync(join(prefix, "slow.ts"), slowPolicy);
  const config = `
    [runtime]
    mode = "compact"
    rebalance = "on"
    [modules]
    directories = ["."]
    [[policy]]
    use = "./slow.ts"
    match = { side = "client" }
  `;
  const daemon = await startDaemon(t, { prefix, daemonKeys: "runtimes = 2", config });
  await startKitchen(t, daemon);
  const clients: Client<typeof Kitchen>[] = [];
  for (const name of ["one", "two"]) {
    clients.push((await connectTo(t, daemon, { name })).client(Kitchen, "kitchen"));
  }
  assert.deepEqual(await appsOf(daemon), [3, 0]);
  await until(
    "an app on the other runtime",
    async () => {
      const calls = clients.flatMap((client) =>
        Array.from({ length: 50 }, () => client.who({}, { waitForReady: true })),
      );
      await Promise.all(calls);
      return (await appsOf(daemon))[1]! > 0;
    },
    60_000,
  );
  const { events } = await askAdmin(prefix, "/v1/events");
  assert.ok(events.some(({ topic, name }) => topic === "app" && name === "moved"));
});
