/** Streams are open while everything around them changes: none fails, and none loses or reorders a message. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { until } from "@koala/testing";
import { postAdmin } from "../stage/admin-post.ts";
import { createFolder, type Daemon, startCluster, startDaemon } from "../stage/cluster.ts";
import { startStreams } from "../stage/stream-load.ts";

const daemonCode = dirname(fileURLToPath(import.meta.resolve("@koala/daemon/main")));

async function move(daemon: Daemon, name: string, of: number): Promise<void> {
  const { runtimes } = await daemon.status();
  const found = runtimes.flatMap(({ apps }) => apps).find((app) => app.name === name);
  assert.ok(found !== undefined, `${name} is attached`);
  const runtime = (found.runtime + 1) % of;
  // A stream that still waits for its server keeps its app where it is.
  await until(`${name} to move`, async () => {
    try {
      const answer = await postAdmin(daemon.prefix, "/v1/runtimes/move", {
        app: found.id,
        runtime,
      });
      assert.equal(answer.failed, 0);
      return true;
    } catch (error) {
      if (String(error).includes("ERR_ENGINE_BUSY")) return false;
      throw error;
    }
  });
}

async function nothingIsOpen(...daemons: Daemon[]): Promise<void> {
  await until("no open calls", async () => {
    const all = await Promise.all(daemons.map((daemon) => daemon.status()));
    return all.flatMap(({ runtimes }) => runtimes).every(({ openCalls }) => openCalls === 0);
  });
}

describe("streams, while things change", { timeout: 400_000 }, () => {
  it("go on when frontends are replaced", async (t) => {
    const folder = createFolder(t);
    const directories = JSON.stringify([folder, daemonCode]);
    const config = `[modules]\ndirectories = ${directories}\n`;
    const { a, b } = await startCluster(t, { config });
    const far = await startStreams(t, a, b, 3);
    for (let i = 1; i <= 6; i++) {
      const own = JSON.stringify(join(daemonCode, "engines/frontend-module.js"));
      const path = join(folder, `frontend-${i}.mjs`);
      writeFileSync(
        path,
        `import own from ${own};\nexport default { ...own, version: "9.${i}.0" };\n`,
      );
      for (const { prefix } of [a, b]) {
        await postAdmin(prefix, "/v1/upgrade", { module: "frontend", path });
      }
      await far.more(10);
    }
    await far.stop();
    await nothingIsOpen(a, b);
  });

  it("go on when links are replaced", async (t) => {
    const folder = createFolder(t);
    const directories = JSON.stringify([folder, daemonCode]);
    const config = `[modules]\ndirectories = ${directories}\n`;
    const { a, b } = await startCluster(t, { config });
    const far = await startStreams(t, a, b, 3);
    for (let i = 1; i <= 6; i++) {
      const own = JSON.stringify(join(daemonCode, "engines/adapter-module.js"));
      const path = join(folder, `adapter-${i}.mjs`);
      writeFileSync(
        path,
        `import own from ${own};\nexport default { ...own, version: "9.${i}.0" };\n`,
      );
      for (const { prefix } of [a, b]) {
        await postAdmin(prefix, "/v1/upgrade", { module: "adapter", path });
      }
      await far.more(10);
    }
    await far.stop();
    await nothingIsOpen(a, b);
  });

  it("go on when their apps move to other runtimes", async (t) => {
    const daemon = await startDaemon(t, { daemonKeys: "runtimes = 3" });
    const load = await startStreams(t, daemon, daemon, 3);
    for (let i = 0; i < 6; i++) {
      await move(daemon, i % 2 === 0 ? "rower" : "river", 3);
      await load.more(10);
    }
    await load.stop();
    await nothingIsOpen(daemon);
  });

  it("go on when both daemons are replaced", async (t) => {
    const { a, b } = await startCluster(t);
    const load = await startStreams(t, a, b, 3);
    for (let i = 0; i < 3; i++) {
      assert.equal((await a.upgrade()).failed, 0);
      await load.more(10);
      assert.equal((await b.upgrade()).failed, 0);
      await load.more(10);
    }
    await load.stop();
    await nothingIsOpen(a, b);
  });

  it("go on when policies come and go", async (t) => {
    const { a, b } = await startCluster(t);
    const load = await startStreams(t, a, b, 3);
    for (let i = 0; i < 20; i++) {
      for (const { prefix } of [a, b]) {
        await postAdmin(prefix, "/v1/policies/attach", { policy: { name: "idle", use: "null" } });
      }
      await load.more(3);
      for (const { prefix } of [a, b]) {
        await postAdmin(prefix, "/v1/policies/detach", { name: "idle" });
      }
      await load.more(3);
    }
    await load.stop();
    await nothingIsOpen(a, b);
  });
});
