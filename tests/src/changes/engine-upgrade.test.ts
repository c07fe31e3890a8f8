/** The frontend is replaced by newer code while calls are in flight. */
import assert from "node:assert/strict";
import { readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Ending, until } from "@koala/testing";
import { askAdmin } from "../stage/admin.ts";
import { postAdmin } from "../stage/admin-post.ts";
import { atEnd, createFolder, type Daemon, startCluster, startDaemon } from "../stage/cluster.ts";
import { DepotLoad } from "../stage/depot-load.ts";
import { attachHere } from "../stage/faults-pair.ts";
import { type Depot, depotOf, outcomeOf, serveDepot } from "../stage/faults-service.ts";

const daemonCode = dirname(fileURLToPath(import.meta.resolve("@koala/daemon/main")));
const regionBytes = 8 << 20;
const limits = `[limits]\nheap_region = '8MiB'\n`;

/** A folder with code of frontends, and the configuration that allows it. */
function moduleFolder(t: Ending): { folder: string; config: string } {
  const folder = createFolder(t);
  const directories = JSON.stringify([folder, daemonCode]);
  return { folder, config: `${limits}[modules]\ndirectories = ${directories}\n` };
}

/** Code of an engine that is this daemon's own but for what `changes` says; its path. */
function writeModule(
  folder: string,
  name: string,
  changes: string,
  engine: "frontend" | "adapter",
): string {
  const path = join(folder, name);
  const own = JSON.stringify(join(daemonCode, `engines/${engine}-module.js`));
  writeFileSync(
    path,
    `import ${engine} from ${own};\nexport default { ...${engine}, ${changes} };\n`,
  );
  return path;
}

function writeFrontend(folder: string, name: string, changes: string): string {
  return writeModule(folder, name, changes, "frontend");
}

async function startDepot(t: Ending, client: Daemon, server: Daemon = client): Promise<Depot> {
  await serveDepot(await attachHere(t, server, "depot"), "depot");
  const depot = depotOf(await attachHere(t, client, "client"), "depot");
  await until("the first call", async () => (await outcomeOf(depot.echo({}))) === "OK");
  return depot;
}

function startLoad(
  t: Ending,
  depot: Depot,
  callsAtOnce: number,
  sizes: readonly number[],
): DepotLoad {
  const load = new DepotLoad(depot, callsAtOnce, sizes);
  atEnd(t, () => load.stop());
  return load;
}

function memfds({ pid }: Daemon): number {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).includes("memfd:");
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

test("20 upgrades under load: no call is lost, and no memory", async (t) => {
  const { folder, config } = moduleFolder(t);
  const daemon = await startDaemon(t, { config });
  const depot = await startDepot(t, daemon);
  await depot.echo({ data: new Uint8Array(200_000) });
  const before = memfds(daemon);
  const load = startLoad(t, depot, 128, [0, 100, 3000, 20_000]);
  const pauses: number[] = [];
  for (let i = 1; i <= 20; i++) {
    const path = writeFrontend(folder, `frontend-${i}.mjs`, `version: "9.${i}.0"`);
    const answer = await postAdmin(daemon.prefix, "/v1/upgrade", { module: "frontend", path });
    assert.match(answer.changes[0]!.detail, new RegExp(` → 9\\.${i}\\.0$`));
    assert.deepEqual(answer.engines?.map(({ label }) => label.split("[")[0]).sort(), [
      "client",
      "depot",
    ]);
    for (const { failed, pauseMicros } of answer.engines ?? []) {
      assert.equal(failed, 0);
      pauses.push(pauseMicros);
    }
    await load.more(200);
  }
  t.diagnostic(`pauses in µs: ${pauses.sort((a, b) => a - b).join(" ")}`);
  await load.stop();
  // What the old engines had handed out comes back with further traffic.
  await until("the memory of old engines to be gone", async () => {
    await Promise.all(Array.from({ length: 20 }, () => depot.echo({})));
    const { apps } = (await daemon.status()).runtimes[0]!;
    return apps.every(({ receiveHeapBytes }) => receiveHeapBytes === regionBytes);
  });
  assert.equal(memfds(daemon), before);
});

test("large messages that are half here go on, on one host and over a link", async (t) => {
  const { folder, config } = moduleFolder(t);
  const { a, b } = await startCluster(t, { config });
  const depot = await startDepot(t, a, b);
  const load = startLoad(t, depot, 16, [1_000_000, 10, 300_000]);
  for (let i = 1; i <= 6; i++) {
    const path = writeFrontend(folder, `frontend-${i}.mjs`, `version: "9.${i}.0"`);
    for (const { prefix } of [a, b]) {
      await postAdmin(prefix, "/v1/upgrade", { module: "frontend", path });
    }
    await load.more(30);
  }
  await load.stop();
});

test("20 upgrades of links under load, to a peer and between runtimes: no call is lost", async (t) => {
  const { folder, config } = moduleFolder(t);
  const { a, b } = await startCluster(t, { config, daemonKeys: "runtimes = 2" });
  const far = await startDepot(t, a, b);
  await serveDepot(await attachHere(t, a, "near"), "near");
  const near = depotOf(await attachHere(t, a, "nearby"), "near");
  await until("the first call", async () => (await outcomeOf(near.echo({}))) === "OK");
  const sizes = [0, 100, 20_000, 300_000];
  const loads = [startLoad(t, far, 64, sizes), startLoad(t, near, 16, sizes)];
  const pauses: number[] = [];
  for (let i = 1; i <= 10; i++) {
    const path = writeModule(folder, `adapter-${i}.mjs`, `version: "9.${i}.0"`, "adapter");
    for (const { prefix } of [a, b]) {
      const answer = await postAdmin(prefix, "/v1/upgrade", { module: "adapter", path });
      // Each of two runtimes has a link to the other one, and those to the other daemon.
      assert.ok(answer.engines!.length >= 4, JSON.stringify(answer.engines));
      pauses.push(...answer.engines!.map(({ pauseMicros }) => pauseMicros));
    }
    for (const load of loads) await load.more(20);
  }
  t.diagnostic(`pauses in µs: ${pauses.sort((x, y) => x - y).join(" ")}`);
  for (const load of loads) await load.stop();
  await until("no open calls", async () => {
    const open = [await a.status(), await b.status()].flatMap(({ runtimes }) => runtimes);
    return open.every(({ openCalls }) => openCalls === 0);
  });
  const slow = far.slow({ amount: 300 });
  const broken = writeModule(
    folder,
    "broken.mjs",
    `version: "9.9.0", restore() { throw new Error("no link with me"); }`,
    "adapter",
  );
  const asked = postAdmin(a.prefix, "/v1/upgrade", { module: "adapter", path: broken });
  await assert.rejects(asked, /ERR_ENGINE_RESTORE.*no link with me/s);
  assert.equal((await slow).amount, 300);
});

test("a frontend that can't restore: the one before goes on, and the reason is told", async (t) => {
  const { folder, config } = moduleFolder(t);
  const daemon = await startDaemon(t, { config, daemonKeys: "runtimes = 2" });
  const depot = await startDepot(t, daemon);
  const load = startLoad(t, depot, 32, [0, 5000]);
  // The first of the two apps moves, and has to move back.
  const broken = writeFrontend(
    folder,
    "broken.mjs",
    `version: "9.9.0", restore(options, state) {
      if (options.port.label.startsWith("depot")) throw new Error("no depot with me");
      return frontend.restore(options, state);
    }`,
  );
  const upgrade = (path: string) =>
    postAdmin(daemon.prefix, "/v1/upgrade", { module: "frontend", path });
  for (let i = 0; i < 5; i++) {
    await assert.rejects(upgrade(broken), /ERR_ENGINE_RESTORE.*depot.*no depot with me/s);
    await load.more(100);
  }
  const good = writeFrontend(folder, "good.mjs", `version: "9.1.0"`);
  const answer = await upgrade(good);
  // Nothing of the failed ones has stayed.
  assert.match(answer.changes[0]!.detail, /^frontend 0\.\S+ → 9\.1\.0$/);
  await load.more(100);
  await load.stop();
});

test("what can't take over is refused before anything changes", async (t) => {
  const { folder, config } = moduleFolder(t);
  const daemon = await startDaemon(t, { config });
  const depot = await startDepot(t, daemon);
  const refused = async (changes: string, reason: RegExp): Promise<void> => {
    const path = writeFrontend(folder, "refused.mjs", changes);
    const asked = postAdmin(daemon.prefix, "/v1/upgrade", { module: "frontend", path });
    await assert.rejects(asked, reason);
    assert.equal(await outcomeOf(depot.echo({})), "OK");
  };
  await refused(`accepts: () => "too old for me"`, /ERR_ENGINE_VERSION.*too old for me/);
  await refused(`name: "frontends"`, /ERR_ENGINE_MODULE.*named \\"frontend\\"/);
  await refused(`restore: undefined`, /ERR_ENGINE_MODULE.*restore/);
  await refused(`get x() { }, }; throw new Error("at home"); ({`, /at home|ERR_MODULE/);
  const elsewhere = writeFrontend(createFolder(t), "elsewhere.mjs", "");
  const asked = postAdmin(daemon.prefix, "/v1/upgrade", { module: "frontend", path: elsewhere });
  await assert.rejects(asked, /ERR_MODULE_DIRECTORY/);
  const path = writeFrontend(folder, "dry.mjs", `version: "9.1.0"`);
  const dry = await postAdmin(daemon.prefix, "/v1/upgrade", {
    module: "frontend",
    path,
    dryRun: true,
  });
  assert.deepEqual(dry.engines, []);
  const back = await postAdmin(daemon.prefix, "/v1/upgrade", { module: "frontend" });
  assert.doesNotMatch(back.changes[0]!.detail, /9\.1\.0/);
});

test("a daemon that takes over has the engines of the one before, unless it was built with newer ones", async (t) => {
  const { folder, config } = moduleFolder(t);
  const daemon = await startDaemon(t, { config });
  const depot = await startDepot(t, daemon);
  const load = startLoad(t, depot, 16, [0, 3000]);
  const engines = async (): Promise<string[]> => {
    const { modules } = await askAdmin(daemon.prefix, "/v1/modules");
    return modules.map(({ name, version, file }) => `${name} ${version} ${file}`);
  };
  const newer = writeFrontend(folder, "newer.mjs", 'version: "9.1.0"');
  const older = writeModule(folder, "older.mjs", 'version: "0.0.1"', "adapter");
  await postAdmin(daemon.prefix, "/v1/upgrade", { module: "frontend", path: newer });
  await postAdmin(daemon.prefix, "/v1/upgrade", { module: "adapter", path: older });
  assert.deepEqual(await engines(), [`frontend 9.1.0 ${newer}`, `adapter 0.0.1 ${older}`]);

  rmSync(newer);
  await load.more(100);
  await daemon.upgrade();
  await load.more(100);
  const { version } = await daemon.status();
  assert.deepEqual(await engines(), [`frontend 9.1.0 ${newer}`, `adapter ${version} `]);
  // It is in use: what it hands over is of its version.
  const answer = await postAdmin(daemon.prefix, "/v1/upgrade", { module: "frontend" });
  assert.match(answer.changes[0]!.detail, new RegExp(`frontend 9\\.1\\.0 → ${version}`));
  await load.more(100);
  await load.stop();
});
