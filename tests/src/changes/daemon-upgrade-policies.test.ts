/** Policies while the daemon's process is replaced, and when it was killed. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { PolicySpec } from "@koala/protocol";
import { until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { askAdmin, postAdmin } from "../stage/admin.ts";
import { createFolder, type Daemon, startDaemon } from "../stage/cluster.ts";
import { connectTo, startKitchen } from "../stage/kitchen.ts";
import { startLoad } from "../stage/load.ts";
import { modulesConfig, startPolicyStage } from "../stage/policy-stage.ts";
import { rejection } from "../stage/rejection.ts";

const suiteMs = 180_000;

/** Leaves every call alone but counts it, in memory that all runtimes share. */
const tally = `import { definePolicy, z } from "@koala/policy";
export default definePolicy({
  name: "tally",
  version: "1.0.0",
  config: z.strictObject({}),
  counters: ["begun", "ended", "strange", "shared"],
  sharedBytes: () => 8,
  onRequest(call, ctx) {
    ctx.counters.begun++;
    ctx.counters.shared = Atomics.add(new Int32Array(ctx.shared), 0, 1) + 1;
    call.local = { id: call.requestId };
  },
  onResponse(call, ctx) {
    ctx.counters.ended++;
    if (call.local?.id !== call.requestId) ctx.counters.strange++;
  },
  export: () => ({ here: true }),
  import(saved) {
    if (saved.here !== true) throw new Error("nothing came");
  },
});
`;

async function countersOf(daemon: Daemon, name: string): Promise<Record<string, number>> {
  const { policies } = await askAdmin(daemon.prefix, "/v1/policies");
  return policies.find((policy) => policy.name === name)!.counters;
}

describe("policies over an upgrade of the daemon", { timeout: suiteMs }, () => {
  it("go on with their state, their shared memory and the calls they have seen", async (t) => {
    const { daemon, post, write } = await startPolicyStage(t, { files: { "tally.js": tally } });
    await post("/v1/policies/attach", {
      policy: { use: write("tally.js", tally), match: { side: "client" } },
    });
    const load = await startLoad(t, { client: daemon, server: daemon, inFlight: 64 });
    for (let i = 0; i < 3; i++) {
      const target = load.done + 500;
      await until("calls", () => load.done > target);
      assert.equal((await daemon.upgrade()).moved.policies, 1);
    }
    const { failures, disorder, calls } = await load.stop();
    assert.deepEqual([failures, disorder], [[], []]);
    const { begun, ended, strange, shared } = await countersOf(daemon, "tally");
    assert.deepEqual({ begun, ended, strange }, { begun: calls, ended: calls, strange: 0 });
    assert.equal(shared, calls);
  });

  it("go on with the code that ran, whatever lies on disk; a start takes what is there", async (t) => {
    const importing = `import { version } from "./deep.js";\n`;
    const code = importing + tally.replace('"1.0.0"', "version");
    const deep = (version: string): string => `export const version = "${version}";\n`;
    const stage = await startPolicyStage(t, { files: { "deep.js": deep("1.0.0") } });
    const { daemon, post, write, policies } = stage;
    const use = write("tally.js", code);
    await post("/v1/policies/attach", { policy: { use } });
    const [before] = await policies();
    assert.equal(before?.version, "1.0.0");

    write("deep.js", deep("2.0.0"));
    write("tally.js", "no code at all (");
    assert.equal((await daemon.upgrade()).failed, 0);
    const [after] = await policies();
    assert.deepEqual(
      [after?.version, after?.code, after?.module, after?.state],
      ["1.0.0", before?.code, use, "active"],
    );
    // The second process hands it on, and can still be upgraded from disk.
    rmSync(join(daemon.prefix, "policies", "deep.js"));
    await daemon.upgrade();
    assert.equal((await policies())[0]?.code, before?.code);
    write("tally.js", code);
    write("deep.js", deep("2.0.0"));
    await post("/v1/upgrade", { module: "tally" });
    assert.equal((await policies())[0]?.version, "2.0.0");

    write("deep.js", deep("3.0.0"));
    await daemon.stop();
    const again = await startDaemon(t, { prefix: daemon.prefix, config: modulesConfig });
    const { policies: last } = await askAdmin(again.prefix, "/v1/policies");
    assert.equal(last[0]?.version, "3.0.0");
  });

  it("lose no call, whichever of those that ship it goes through", async (t) => {
    const daemon = await startDaemon(t);
    const rules = [
      { name: "never", effect: "deny", method: "Echo", when: 'request.text == "never"' },
    ];
    const shipped: PolicySpec[] = [
      { use: "null" },
      { use: "acl", config: { default: "allow", rules } },
      { use: "telemetry", config: { sample: 0.5 } },
      { use: "log", config: { file: join(daemon.prefix, "access.log"), sample: 0.1 } },
      { use: "rate-limit", config: { rate: 1_000_000 } },
      { use: "concurrency", config: { limit: 1000 } },
      { use: "retry", config: { idempotent: ["Echo"] }, match: { side: "client" } },
      { use: "breaker" },
      { use: "balance", config: { method: "least_request" } },
    ];
    for (const policy of shipped) await postAdmin(daemon.prefix, "/v1/policies/attach", { policy });
    const load = await startLoad(t, { client: daemon, server: daemon, inFlight: 64 });
    for (let i = 0; i < 2; i++) {
      const target = load.done + 300;
      await until("calls", () => load.done > target);
      await daemon.upgrade();
    }
    const target = load.done + 300;
    await until("calls afterwards", () => load.done > target);
    const { failures } = await load.stop();
    assert.deepEqual(failures, []);
    const { policies } = await askAdmin(daemon.prefix, "/v1/policies");
    assert.deepEqual(
      policies.filter(({ failure }) => (failure ?? "") !== ""),
      [],
    );
  });

  it("get the calls again that they held", async (t) => {
    const { daemon, kitchen, post } = await startPolicyStage(t);
    const config = { delay: { time: "1500ms" } };
    await post("/v1/policies/attach", { policy: { name: "slow", use: "fault", config } });
    const held = Promise.all(
      Array.from({ length: 20 }, (_, i) => kitchen.echo({ text: `call ${i}` })),
    );
    await until("held calls", async () => (await countersOf(daemon, "slow"))["held"] === 20);
    await daemon.upgrade();
    assert.deepEqual(
      (await held).map(({ text }) => text),
      Array.from({ length: 20 }, (_, i) => `call ${i}`),
    );
    const { held: left } = await countersOf(daemon, "slow");
    assert.equal(left, 0);
  });

  it("that can't go on keep the upgrade from happening", async (t) => {
    const text = tally
      .replace('name: "tally"', 'name: "stubborn"')
      .replace("here: true", "here: false");
    const { daemon, post, write } = await startPolicyStage(t);
    await post("/v1/policies/attach", {
      policy: { use: write("stubborn.js", text), match: { side: "client" } },
    });
    const load = await startLoad(t, { client: daemon, server: daemon, inFlight: 64 });
    await assert.rejects(daemon.upgrade(), /ERR_POLICY_UPGRADE.*stubborn.*nothing came/);
    assert.equal(daemon.currentPid(), daemon.pid);
    const target = load.done + 500;
    await until("calls afterwards", () => load.done > target);
    const { failures, disorder, calls } = await load.stop();
    assert.deepEqual([failures, disorder], [[], []]);
    const { begun, ended, strange } = await countersOf(daemon, "stubborn");
    assert.deepEqual({ begun, ended, strange }, { begun: calls, ended: calls, strange: 0 });
  });

  it("are there again, with the apps, when the daemon was killed and started anew", async (t) => {
    const prefix = createFolder(t);
    const first = await startDaemon(t, { prefix, config: modulesConfig });
    await startKitchen(t, first);
    const mesh = await connectTo(t, first);
    const kitchen = mesh.client(Kitchen, "kitchen");
    const rules = [
      { name: "no-poison", effect: "deny", when: 'request.text == "poison"', method: "Echo" },
    ];
    const policy = { name: "guard", use: "acl", config: { default: "allow", rules } };
    await postAdmin(prefix, "/v1/policies/attach", { policy });
    assert.match((await rejection(kitchen.echo({ text: "poison" }))).message, /guard/);
    await first.kill();
    const second = await startDaemon(t, { prefix, config: modulesConfig });
    await until("the apps are back", async () => {
      const status = await second.status();
      return status.runtimes[0]!.apps.length === 2 && status.runtimes[0]!.services.length === 1;
    });
    const options = { waitForReady: true, timeoutMs: 20_000 };
    assert.equal((await kitchen.echo({ text: "bread" }, options)).text, "bread");
    assert.match((await rejection(kitchen.echo({ text: "poison" }))).message, /guard/);
  });
});
