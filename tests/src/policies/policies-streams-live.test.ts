/** A policy that reads every message comes, goes and changes while streams run: none loses or reorders a message. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { PolicySpec } from "@koala/protocol";
import { type Ending, until } from "@koala/testing";
import { askAdmin } from "../stage/admin.ts";
import { postAdmin } from "../stage/admin-post.ts";
import { createFolder, type Daemon, startCluster, startDaemon } from "../stage/cluster.ts";
import { nothingIsOpen } from "../stage/river-stage.ts";
import { type StreamLoad, startStreams } from "../stage/stream-load.ts";

const changes = 100;

/** Reads all messages, replaces some by themselves, and finds out if one is missing. */
const reader = `import { definePolicy, z } from "@koala/policy";
export default definePolicy({
  name: "reader",
  version: "VERSION",
  config: z.strictObject({ every: z.int().default(7) }),
  counters: ["begun", "ended", "read", "replaced", "disorder", "total"],
  start: () => ({ total: 0 }),
  onRequest(call, ctx) {
    ctx.counters.begun++;
    call.local = { client: 0, server: 0 };
  },
  onStreamMessage(message, call, ctx) {
    ctx.counters.read++;
    ctx.counters.total = ++ctx.state.total;
    const { local } = call;
    const { serial, data, text } = message.value;
    if (local === undefined || Number(serial) !== local[message.from]++) ctx.counters.disorder++;
    if (message.index !== Number(serial)) ctx.counters.disorder++;
    if (Number(serial) % ctx.config.every !== 0) return;
    ctx.counters.replaced++;
    message.replace({ $typeName: "test.v1.Drop", serial, data: data.slice(), text });
  },
  onResponse(call, ctx) {
    ctx.counters.ended++;
  },
  export: ({ state }) => state,
  import: (saved) => ({ total: saved.total }),
});
`;

interface Stage {
  readonly daemons: readonly Daemon[];
  readonly load: StreamLoad;
  readonly path: string;
  spec(): PolicySpec;
}

async function start(t: Ending, hosts: number, each: number): Promise<Stage> {
  const folder = createFolder(t);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "reader.js");
  writeFileSync(path, reader.replace("VERSION", "1.0.0"));
  const config = `[modules]\ndirectories = [${JSON.stringify(folder)}]\n`;
  const daemons =
    hosts === 1
      ? [await startDaemon(t, { config, daemonKeys: "runtimes = 2" })]
      : Object.values(await startCluster(t, { config }));
  const load = await startStreams(t, daemons[0]!, daemons.at(-1)!, each);
  return { daemons, load, path, spec: () => ({ name: "reader", use: path }) };
}

async function countersOf(daemon: Daemon): Promise<Record<string, number>> {
  const { policies } = await askAdmin(daemon.prefix, "/v1/policies");
  const found = policies.find(({ name }) => name === "reader");
  assert.equal(found?.failure ?? "", "");
  return found!.counters;
}

for (const hosts of [2, 1]) {
  describe(`policies of streams that run, ${hosts === 2 ? "two daemons" : "one daemon"}`, {
    timeout: 300_000,
  }, () => {
    it(`are attached and detached, configured and upgraded ${changes} times`, async (t) => {
      const { daemons, load, path, spec } = await start(t, hosts, 2);
      for (let i = 0; i < changes; i++) {
        const { prefix } = daemons[i % daemons.length]!;
        const step = Math.floor(i / daemons.length) % 4;
        if (step === 0) await postAdmin(prefix, "/v1/policies/attach", { policy: spec() });
        else if (step === 1) {
          const config = { every: 1 + (i % 5) };
          await postAdmin(prefix, "/v1/policies/set", { name: "reader", config });
        } else if (step === 2) {
          writeFileSync(path, reader.replace("VERSION", `1.${i}.0`));
          await postAdmin(prefix, "/v1/upgrade", { module: "reader" });
        } else {
          const { disorder } = await countersOf(daemons[i % daemons.length]!);
          assert.equal(disorder, 0);
          await postAdmin(prefix, "/v1/policies/detach", { name: "reader" });
        }
        if (i % 10 === 0) await load.more(2);
      }
      await load.more(5);
      await load.stop();
      await nothingIsOpen(...daemons);
    });

    it("go on with their state and their calls when the daemon is replaced", async (t) => {
      const { daemons, load, spec } = await start(t, hosts, 2);
      for (const { prefix } of daemons) {
        await postAdmin(prefix, "/v1/policies/attach", { policy: spec() });
      }
      for (let i = 0; i < 2; i++) {
        for (const daemon of daemons) {
          await load.more(3);
          const before = await countersOf(daemon);
          assert.equal((await daemon.upgrade()).failed, 0);
          await until("the state to be there", async () => {
            const { total, read, disorder } = await countersOf(daemon);
            assert.equal(disorder, 0);
            return total! >= before["total"]! && read! >= before["read"]!;
          });
        }
      }
      await load.more(5);
      await load.stop();
      await nothingIsOpen(...daemons);
      for (const daemon of daemons) {
        const { begun, ended, disorder, read, replaced } = await countersOf(daemon);
        assert.equal(ended, begun, "each call it saw has ended for it");
        assert.equal(disorder, 0);
        assert.ok(read! > 0 && replaced! > 0);
      }
    });
  });
}
