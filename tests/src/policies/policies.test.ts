/** Policies of a real daemon: attached by koala.toml and by hand, changed, upgraded, and what bad input gets. */
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Status } from "@koala/mrpc";
import type { PolicySpec } from "@koala/protocol";
import { spawnNode, until } from "@koala/testing";
import { AdminError, askAdmin } from "../stage/admin.ts";
import { startDaemon } from "../stage/cluster.ts";
import {
  countingPolicy,
  modulesConfig,
  type PolicyStage,
  startPolicyStage,
} from "../stage/policy-stage.ts";
import { rejection } from "../stage/rejection.ts";

const timeout = 120_000;

/** Names of what is attached, in order. */
async function namesOf(stage: PolicyStage): Promise<string[]> {
  return (await stage.policies()).map(({ name }) => name);
}

/** How the daemon refuses something. */
async function refusalOf(asked: Promise<unknown>): Promise<AdminError> {
  try {
    await asked;
  } catch (error) {
    assert.ok(error instanceof AdminError, String(error));
    return error;
  }
  assert.fail("the daemon has done it");
}

describe("policies", { timeout }, () => {
  it("are attached by koala.toml, and act on the calls that they match", async (test) => {
    const config = `
      [[policy]]
      use = "count"
      match = { service = "test.v1.*", method = "Echo", side = "client" }
      config = { deny = true }
    `;
    const files = { "count.ts": countingPolicy("1.0.0") };
    const { kitchen, policies } = await startPolicyStage(test, { config, files });
    const error = await rejection(kitchen.echo({ text: "soup" }));
    assert.equal(error.status, Status.PERMISSION_DENIED);
    assert.equal(error.origin, "policy");
    assert.match(error.reason, /version 1\.0\.0 .*policy count, rule all; request /);
    await kitchen.make({});
    const [policy] = await policies();
    assert.equal(policy?.origin, "file");
    assert.equal(policy?.counters["seen"], 1);
    assert.equal(policy?.counters["denials"], 1);
  });

  it("are attached, set and detached by hand, with an answer that says what it cost", async (test) => {
    const stage = await startPolicyStage(test, { runtimes: 2 });
    const { kitchen, post, write, policies } = stage;
    write("count.ts", countingPolicy("1.0.0"));
    await kitchen.echo({});

    const attached = await post("/v1/policies/attach", { policy: { use: "count" } });
    assert.equal(attached.revision, 2); // the first is what the daemon was started with
    assert.deepEqual(
      attached.changes.map(({ kind, policy }) => `${kind} ${policy}`),
      ["attached count"],
    );
    assert.deepEqual(
      attached.runtimes.map(({ runtime }) => runtime),
      [0, 1],
    );
    assert.ok(attached.runtimes.every(({ pauseMicros }) => pauseMicros > 0));
    assert.equal(
      attached.runtimes.reduce((sum, { bindings }) => sum + bindings, 0),
      1,
    );
    await kitchen.echo({});

    await post("/v1/policies/set", { name: "count", merge: { deny: true } });
    assert.equal((await rejection(kitchen.echo({}))).origin, "policy");
    await post("/v1/policies/set", { name: "count", enabled: false });
    await kitchen.echo({});
    await post("/v1/policies/set", { name: "count", enabled: true, merge: { deny: null } });
    await kitchen.echo({});
    const [policy] = await policies();
    assert.equal(policy?.origin, "admin");
    assert.deepEqual(policy?.config, {});

    const dry = await post("/v1/policies/detach", { name: "count", dryRun: true });
    assert.deepEqual(
      dry.changes.map(({ kind }) => kind),
      ["detached"],
    );
    assert.deepEqual(await namesOf(stage), ["count"]);
    await post("/v1/policies/detach", { name: "count" });
    assert.deepEqual(await namesOf(stage), []);
    await kitchen.echo({});
  });

  it("go in the order of `order`, which can be changed", async (test) => {
    const files = { "count.ts": countingPolicy("1.0.0") };
    const stage = await startPolicyStage(test, { files });
    const { kitchen, post } = stage;
    const policy = { use: "count", config: { deny: true } };
    await post("/v1/policies/attach", { policy: { ...policy, name: "first" } });
    await post("/v1/policies/attach", { policy: { ...policy, name: "second" } });
    assert.match((await rejection(kitchen.echo({}))).reason, /policy first,/);
    const answer = await post("/v1/policies/set", { name: "second", order: 5 });
    assert.deepEqual(answer.changes, [
      { kind: "reordered", policy: "second", detail: "order 20 → 5" },
    ]);
    assert.match((await rejection(kitchen.echo({}))).reason, /policy second,/);
    assert.deepEqual(await namesOf(stage), ["second", "first"]);
  });

  it("are refused before anything changes, with the place of what is wrong", async (test) => {
    const files = { "count.ts": countingPolicy("1.0.0") };
    const config = '[[policy]]\nuse = "count"\n';
    const stage = await startPolicyStage(test, { config, files });
    const { kitchen, post, write, configure, configPath, daemon } = stage;

    const broken = write("broken.ts", "const a: number = 1;\nconst b = = 2;\n");
    const thrower = write("thrower.ts", "\n\nthrow new TypeError('not today');\n");
    const starter = countingPolicy("1.0.0", "start: () => { throw new Error('no start'); },");
    write("starter.ts", starter);
    const cases: [policy: object, code: string, pattern: RegExp][] = [
      [{ use: "broken" }, "ERR_MODULE_SYNTAX", new RegExp(`${broken}:2:11: `)],
      [{ use: "thrower" }, "ERR_MODULE_LOAD", new RegExp(`${thrower}:3:7: .*not today`)],
      [{ use: "conut" }, "ERR_MODULE_MISSING", /no module "conut"/],
      [{ use: "/etc/passwd.ts" }, "ERR_MODULE_MISSING", /there is no \/etc\/passwd\.ts/],
      [{ use: "starter", name: "s" }, "ERR_POLICY_START", /policy "s": start threw: no start/],
      [{ use: "count" }, "ERR_POLICY_NAME", /"count" is attached already/],
      [{ use: "count", name: "x", config: { denny: 1 } }, "ERR_POLICY_CONFIG", /"deny"\?/],
    ];
    for (const [policy, code, pattern] of cases) {
      const error = await refusalOf(
        post("/v1/policies/attach", { policy: policy as { use: string } }),
      );
      assert.equal(error.code, code, error.message);
      assert.match(error.message, pattern);
    }
    configure('[[policy]]\nname = "x"\nuse = "count"\nconfig = { deny = 1 }\n');
    const wrong = await refusalOf(post("/v1/config/apply", {}));
    assert.match(wrong.message, new RegExp(`${configPath}:\\d+:19: config\\.deny of policy "x"`));
    configure('[[policy]]\nname = "x"\nusse = "count"\n');
    assert.match(
      (await refusalOf(post("/v1/config/apply", {}))).message,
      /:3: unknown key "usse"|Did you mean "use"/,
    );
    process.kill(daemon.pid, "SIGHUP");
    await until("the log says why", () => /not applied, nothing has changed/.test(daemon.log()));

    assert.deepEqual(await namesOf(stage), ["count"]);
    assert.equal((await askAdmin(daemon.prefix, "/v1/config/history")).revisions.length, 0);
    await kitchen.echo({});
  });

  it("are checked against the services that are there, down to the place in an expression", async (test) => {
    const stage = await startPolicyStage(test);
    const { kitchen, post, configure, configPath } = stage;
    await kitchen.echo({});
    configure(`[[policy]]
use = "acl"
[policy.config]
default = "allow"
[[policy.config.rules]]
name = "soup"
effect = "deny"
when = "caller.app != \\"x\\" && request.texxt == 'soup'"
`);
    const wrong = await refusalOf(post("/v1/config/apply", {}));
    assert.equal(wrong.code, "ERR_POLICY_METHOD");
    const place = new RegExp(
      `${configPath}:(\\d+):(\\d+): .*rules\\[0\\]\\.when of policy "acl": .*texxt`,
    );
    const [, , column] = place.exec(wrong.message) ?? assert.fail(wrong.message);
    const line = `when = "caller.app != \\"x\\" && request.texxt`;
    assert.equal(Number(column), line.indexOf("texxt") + 1);
    assert.deepEqual(await namesOf(stage), []);
  });

  it("follow koala.toml when it is applied, or on SIGHUP", async (test) => {
    const files = { "count.ts": countingPolicy("1.0.0") };
    const stage = await startPolicyStage(test, { files });
    const { kitchen, post, configure, daemon } = stage;
    configure('[[policy]]\nuse = "count"\nconfig = { deny = true }\n[runtime]\nbudget = 32\n');
    const dry = await post("/v1/config/apply", { dryRun: true });
    assert.deepEqual(
      dry.changes.map(({ kind }) => kind),
      ["attached"],
    );
    assert.deepEqual(dry.needsRestart, ["runtime.budget"]);
    await kitchen.echo({});
    const applied = await post("/v1/config/apply", {});
    assert.deepEqual(applied.needsRestart, ["runtime.budget"]);
    assert.equal((await rejection(kitchen.echo({}))).origin, "policy");
    configure('[log]\nlevel = "debug"\n');
    process.kill(daemon.pid, "SIGHUP");
    await until("the policy is gone", async () => (await namesOf(stage)).length === 0);
    await kitchen.echo({});
  });

  it("come back with a daemon that was killed: the file, and what was done by hand", async (test) => {
    const files = { "count.ts": countingPolicy("1.0.0") };
    const config =
      '[[policy]]\nname = "one"\nuse = "count"\n[[policy]]\nname = "two"\nuse = "count"\n';
    const stage = await startPolicyStage(test, { config, files });
    const { daemon, post } = stage;
    await post("/v1/policies/attach", { policy: { name: "three", use: "count", order: 1 } });
    await post("/v1/policies/set", { name: "two", order: 2 });
    await post("/v1/policies/detach", { name: "one" });
    const before = await stage.policies();
    await daemon.kill();
    const again = await startDaemon(test, {
      prefix: daemon.prefix,
      config: `${modulesConfig}${config}`,
    });
    const after = (await askAdmin(again.prefix, "/v1/policies")).policies;
    const plain = (policies: typeof after): unknown =>
      policies.map(({ name, order, origin, config: table }) => ({ name, order, origin, table }));
    assert.deepEqual(plain(after), plain(before));
    assert.deepEqual(
      after.map(({ name }) => name),
      ["three", "two"],
    );
  });

  it("follow a koala.toml that was changed while the daemon was away", async (test) => {
    const files = { "count.ts": countingPolicy("1.0.0") };
    const config = '[[policy]]\nname = "one"\nuse = "count"\n';
    const { daemon, post } = await startPolicyStage(test, { config, files });
    await post("/v1/policies/attach", { policy: { name: "two", use: "count" } });
    await post("/v1/config/rollback", { revision: 1 });
    await post("/v1/policies/attach", { policy: { name: "three", use: "count" } });
    await daemon.stop();
    const again = await startDaemon(test, {
      prefix: daemon.prefix,
      config: `${modulesConfig}${config}[[policy]]\nname = "four"\nuse = "count"\norder = 15\n`,
    });
    const { policies, revision } = await askAdmin(again.prefix, "/v1/policies");
    assert.deepEqual(
      policies.map(({ name, origin }) => `${name} ${origin}`),
      ["one file", "four file", "three admin"],
    );
    const [newest] = (await askAdmin(again.prefix, "/v1/config/history")).revisions;
    assert.deepEqual([newest?.revision, newest?.summary], [revision, "koala.toml has changed"]);
    assert.deepEqual(newest?.who, { uid: -1, pid: -1, via: "start" });
  });

  it("that are rolled back run the code of now, and the answer says so", async (test) => {
    const files = { "count.ts": countingPolicy("1.0.0") };
    const { post, write, policies } = await startPolicyStage(test, { files });
    const { revision } = await post("/v1/policies/attach", { policy: { use: "count" } });
    write("count.ts", countingPolicy("1.1.0"));
    await post("/v1/upgrade", { module: "count" });
    await post("/v1/policies/set", { name: "count", order: 70 });
    const { notes } = await post("/v1/config/rollback", { revision });
    assert.match(
      notes.join("\n"),
      /"count" was 1\.0\.0 \(code \w{8}\) in that revision and is 1\.1\.0 .*: code is not rolled back/,
    );
    assert.equal((await policies())[0]?.version, "1.1.0");
  });

  it("have revisions: history, diff and rollback", async (test) => {
    const files = { "count.ts": countingPolicy("1.0.0") };
    const stage = await startPolicyStage(test, { files });
    const { daemon, post, kitchen } = stage;
    await post("/v1/policies/attach", { policy: { use: "count" } });
    await post("/v1/policies/set", { name: "count", config: { deny: true } });
    const { revisions } = await askAdmin(daemon.prefix, "/v1/config/history");
    assert.deepEqual(
      revisions.map(({ revision, summary, isCurrent }) => [revision, summary, isCurrent]),
      [
        [3, "set count: config", true],
        [2, "attach count", false],
        [1, "start", false],
      ],
    );
    assert.equal(revisions[0]?.who.pid, process.pid);
    assert.equal(revisions[0]?.who.uid, process.getuid?.());
    const { lines } = await askAdmin(daemon.prefix, "/v1/config/diff", "?from=2&to=3");
    assert.deepEqual(
      lines.filter((line) => !line.startsWith(" ")),
      ["+deny = true"],
    );
    assert.equal((await rejection(kitchen.echo({}))).origin, "policy");
    const answer = await post("/v1/config/rollback", { revision: 2 });
    assert.equal(answer.revision, 4);
    await kitchen.echo({});
    const error = await refusalOf(post("/v1/config/rollback", { revision: 9 }));
    assert.equal(error.code, "ERR_CONFIG_REVISION");
    assert.match(error.message, /1 to 4/);
  });

  it("are upgraded with their state; code that can't take it changes nothing", async (test) => {
    const files = { "count.ts": countingPolicy("1.0.0") };
    const config = '[[policy]]\nuse = "count"\n';
    const stage = await startPolicyStage(test, { config, files, runtimes: 2 });
    const { daemon, kitchen, post, write, policies } = stage;
    for (let i = 0; i < 5; i++) await kitchen.echo({});
    const seen = async (): Promise<number | undefined> => (await policies())[0]?.counters["seen"];
    const before = await seen();

    write("count.ts", countingPolicy("1.1.0"));
    const answer = await post("/v1/upgrade", { module: "count" });
    assert.deepEqual(answer.changes, [
      { kind: "upgraded", policy: "count", detail: "count 1.0.0 → count 1.1.0" },
    ]);
    assert.deepEqual(
      answer.runtimes.map(({ moved }) => moved),
      [1, 1],
    );
    await kitchen.echo({});
    assert.equal(await seen(), before! + 2); // both sides of the call

    write("count.ts", countingPolicy("2.0.0", "import() { throw new Error('too old'); },"));
    const refused = await refusalOf(post("/v1/upgrade", { module: "count" }));
    assert.equal(refused.code, "ERR_POLICY_UPGRADE");
    assert.match(
      refused.message,
      /version 2\.0\.0 can't take the state of version 1\.1\.0: too old/,
    );
    write("count.ts", countingPolicy("3.0.0").replace('name: "count"', 'name: "other"'));
    assert.match((await refusalOf(post("/v1/upgrade", { module: "count" }))).message, /"other"/);
    await kitchen.echo({});
    assert.equal((await policies())[0]?.version, "1.1.0");
    assert.equal(await seen(), before! + 4);

    // Only the second runtime fails, and only when it matters: the first goes back.
    write(
      "count.ts",
      countingPolicy(
        "4.0.0",
        `import(saved, version, ctx) {
          const seen = globalThis as { tried?: number };
          seen.tried = (seen.tried ?? 0) + 1;
          if (ctx.runtime.index === 1 && seen.tried > 1) throw new Error("only now");
          return saved as State;
        },`,
      ),
    );
    assert.match((await refusalOf(post("/v1/upgrade", { module: "count" }))).message, /only now/);
    assert.equal((await policies())[0]?.version, "1.1.0");
    await kitchen.echo({});
    assert.equal(await seen(), before! + 6);
    assert.doesNotMatch(daemon.log(), /failed and is out of service/);
  });

  it("have a part in the main thread, from before the first call until after the last", async (test) => {
    const stage = await startPolicyStage(test, { runtimes: 2 });
    const { daemon, kitchen, post, write, policies } = stage;
    const file = join(daemon.prefix, "told");
    const lines = (): string[] => readFileSync(file, "utf8").trimEnd().split("\n");
    const teller = (fails: boolean): string => `import { definePolicy, z } from "@koala/policy";
      import { appendFileSync } from "node:fs";
      const tell = (text: string): void => appendFileSync(${JSON.stringify(file)}, text + "\\n");
      export default definePolicy<{ tag: string }>({
        name: "teller",
        version: "1.0.0",
        config: z.strictObject({ tag: z.string() }),
        sharedBytes: (config, runtimes) => 4 * runtimes,
        onRequest(call, ctx) {
          if (call.side === "client") ctx.notify(call.method.name + " " + ctx.config.tag);
        },
        async control(ctx) {
          if (${fails}) throw new Error("the port is taken");
          tell("start " + ctx.config.tag + " " + ctx.shared.byteLength);
          return {
            onNotice: (message) => tell(String(message)),
            reconfigure: (config) => tell("reconfigure " + config.tag),
            close: () => tell("close"),
          };
        },
      });`;
    write("broken.ts", teller(true));
    write("teller.ts", teller(false));
    const policy = { use: "broken", config: { tag: "x" } };
    const refused = await refusalOf(post("/v1/policies/attach", { policy }));
    assert.equal(refused.code, "ERR_POLICY_CONTROL");
    assert.match(refused.message, /"broken": .*the port is taken/);
    assert.deepEqual(await policies(), []);

    await post("/v1/policies/attach", { policy: { use: "teller", config: { tag: "a" } } });
    await kitchen.echo({});
    await until("the first notice", () => lines().length === 2);
    await post("/v1/policies/set", { name: "teller", merge: { tag: "b" } });
    await kitchen.make({});
    await until("the second notice", () => lines().length === 4);
    await post("/v1/policies/detach", { name: "teller" });
    assert.deepEqual(lines(), ["start a 8", "Echo a", "reconfigure b", "Make b", "close"]);
  });

  it("that fail are taken out, and calls end or pass as `on_failure` says", async (test) => {
    const files = {
      "count.ts": countingPolicy("1.0.0", "onRequest() { throw new Error('oh no'); },"),
    };
    const stage = await startPolicyStage(test, { files });
    const { kitchen, post, write, policies } = stage;
    await post("/v1/policies/attach", { policy: { use: "count", match: { side: "client" } } });
    for (let i = 0; i < 2; i++) {
      const error = await rejection(kitchen.echo({}));
      assert.equal(error.status, Status.UNAVAILABLE);
      assert.equal(error.origin, "policy");
    }
    const [failed] = await policies();
    assert.equal(failed?.state, "quarantined");
    assert.match(failed?.failure ?? "", /onRequest threw: oh no .*count\.ts:\d+:\d+/);
    await post("/v1/policies/set", { name: "count", onFailure: "open" });
    await kitchen.echo({});
    write("count.ts", countingPolicy("1.0.1"));
    await post("/v1/upgrade", { module: "count" });
    await kitchen.echo({});
    assert.equal((await policies())[0]?.state, "active");
  });

  it("keep a daemon from starting when they are broken, and --check says so", async (test) => {
    const files = { "count.ts": countingPolicy("1.0.0") };
    const stage = await startPolicyStage(test, { files });
    const { daemon, configPath } = stage;
    await daemon.stop();
    rmSync(join(daemon.prefix, "policies", "count.ts"));
    const text = '[modules]\ndirectories = ["policies"]\n[[policy]]\nuse = "count"\n';
    writeFileSync(configPath, text);
    const main = fileURLToPath(import.meta.resolve("@koala/daemon/main"));
    const check = spawnNode(main, ["--config", configPath, "--check"]);
    assert.deepEqual(await check.exit(), { code: 2, signal: null });
    assert.match(check.output(), /koala\.toml:4:7: policy "count": there is no module "count"/);
    await assert.rejects(
      startDaemon(test, { prefix: daemon.prefix, config: text }),
      /koala\.toml:\d+:7: policy "count": there is no module "count"/,
    );
  });

  it("are refused while what they need before them is not there", async (test) => {
    const stage = await startPolicyStage(test);
    const { post, write, policies, daemon } = stage;
    const needing = countingPolicy("1.0.0", 'needs: { after: ["null"] },');
    const path = write("count.ts", needing.replace('name: "count"', 'name: "second"'));
    const attach = (policy: PolicySpec): Promise<unknown> =>
      post("/v1/policies/attach", { policy });

    const missing = await refusalOf(attach({ use: "count" }));
    assert.equal(missing.code, "ERR_MODULE_NEEDS");
    assert.match(missing.message, /needs the policy "null" before it, which is not attached/);
    assert.ok(missing.message.includes(path), missing.message);
    await attach({ use: "null", order: 50 });
    const behind = await refusalOf(attach({ use: "count", order: 10 }));
    assert.match(behind.message, /attached behind it, with order 50/);
    await attach({ use: "count", order: 60 });

    const needed = await refusalOf(post("/v1/policies/detach", { name: "null" }));
    assert.equal(needed.code, "ERR_MODULE_NEEDS");
    const idle = await refusalOf(post("/v1/policies/set", { name: "null", enabled: false }));
    assert.match(idle.message, /attached but not enabled/);
    assert.deepEqual(
      (await policies()).map(({ name, state }) => `${name} ${state}`),
      ["null active", "count active"],
    );

    write("count.ts", countingPolicy("1.1.0", 'needs: { features: ["teleport"] },'));
    const refused = await refusalOf(
      post("/v1/policies/attach", { policy: { use: "count", name: "again" }, dryRun: true }).then(
        () => post("/v1/upgrade", { module: "count" }),
      ),
    );
    assert.equal(refused.code, "ERR_MODULE_NEEDS");
    assert.match(refused.message, /count\.ts:\d+:\d+: .*needs "teleport"/);

    const { modules, offers } = await askAdmin(daemon.prefix, "/v1/modules");
    assert.ok(offers.includes("policy/1.0") && offers.includes("frontend/1"), offers.join());
    assert.deepEqual(
      modules.map(({ name, version, policies: users }) => [name, version, ...users]).slice(0, 2),
      [
        ["null", "1.0.0", "null"],
        ["second", "1.0.0", "count"],
      ],
    );
    assert.deepEqual(
      modules.slice(2).map(({ name, file }) => [name, file]),
      [
        ["frontend", ""],
        ["adapter", ""],
      ],
    );
  });
});
