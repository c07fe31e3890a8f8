/** koalactl as an operator and as a policy author use it: a running daemon, real calls. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Status } from "@koala/mrpc";
import type { ChangeAnswer, PoliciesAnswer } from "@koala/protocol";
import { type Child, spawnNode, until } from "@koala/testing";
import { atEnd, createFolder, startDaemon } from "../stage/cluster.ts";
import { countingPolicy, type PolicyStage, startPolicyStage } from "../stage/policy-stage.ts";
import { rejection } from "../stage/rejection.ts";

const ctlProgram = fileURLToPath(new URL("../../../packages/ctl/dist/main.js", import.meta.url));
const suite = { timeout: 180_000 };

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs koalactl to its end. */
function ctl(prefix: string, args: readonly string[]): Promise<Ran> {
  const options = { env: { ...process.env, NO_COLOR: "1" }, timeout: 60_000 };
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [ctlProgram, "--prefix", prefix, ...args],
      options,
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        if (typeof code === "number") resolve({ code, stdout, stderr });
        else reject(error);
      },
    );
  });
}

/** The same with `-o json`, for commands that work. */
async function ctlJson<Answer>(prefix: string, args: readonly string[]): Promise<Answer> {
  const { code, stdout, stderr } = await ctl(prefix, ["-o", "json", ...args]);
  assert.deepEqual([code, stderr], [0, ""]);
  return JSON.parse(stdout) as Answer;
}

/** Starts `koalactl policy dev`. */
function startDev(test: TestContext, prefix: string, args: readonly string[]): Child {
  const child = spawnNode(ctlProgram, ["--prefix", prefix, "policy", "dev", ...args]);
  atEnd(test, () => child.stop());
  return child;
}

/** The path of a file that the stage was started with. */
function fileOf({ daemon }: PolicyStage, name: string): string {
  return join(daemon.prefix, "policies", name);
}

/** Calls are denied by this version of the counting policy. */
async function assertDeniedBy({ kitchen }: PolicyStage, version: string): Promise<void> {
  const { reason, status } = await rejection(kitchen.echo({}));
  assert.equal(status, Status.PERMISSION_DENIED);
  assert.ok(reason.includes(`version ${version} `), reason);
}

describe("koalactl policy", suite, () => {
  it("attaches, shows, sets and detaches, and the calls are what it says", async (t) => {
    const stage = await startPolicyStage(t, { files: { "count.ts": countingPolicy("1.0.0") } });
    const { daemon, kitchen } = stage;
    const file = fileOf(stage, "count.ts");
    await kitchen.echo({});
    const attach = [
      "policy",
      "attach",
      "guard",
      "--use",
      file,
      "-m",
      "service=test.v1.*,side=client",
    ];
    const tried = await ctlJson<ChangeAnswer>(daemon.prefix, [...attach, "--dry-run"]);
    assert.equal(tried.dryRun, true);
    assert.equal(
      (await ctl(daemon.prefix, ["policy", "list"])).stderr,
      "no policies are attached\n",
    );
    const attached = await ctl(daemon.prefix, [...attach, "-c", '{"deny": true}']);
    assert.equal(attached.code, 0, attached.stderr);
    assert.match(attached.stdout, /^attached +guard +/m);
    assert.match(attached.stdout, /^RUNTIME +PAUSE/m);
    await assertDeniedBy(stage, "1.0.0");
    const { policies } = await ctlJson<PoliciesAnswer>(daemon.prefix, ["policy", "list"]);
    assert.deepEqual(
      policies.map(({ name, use, match, origin }) => ({ name, use, match, origin })),
      [
        {
          name: "guard",
          use: file,
          match: { service: "test.v1.*", side: "client" },
          origin: "admin",
        },
      ],
    );
    assert.equal((await ctl(daemon.prefix, ["policy", "set", "guard", "deny=false"])).code, 0);
    await kitchen.echo({});
    const wrong = await ctl(daemon.prefix, ["policy", "set", "guard", "dney=true"]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^koalactl: .*guard.*dney/);
    await kitchen.echo({});
    const detached = await ctl(daemon.prefix, ["policy", "detach", "guard"]);
    assert.match(detached.stdout, /^detached +guard/m);
    const history = await ctl(daemon.prefix, ["config", "history"]);
    assert.match(history.stdout, /^ +4 +\* .*detach guard$/m);
    const diff = await ctl(daemon.prefix, ["config", "diff", "2", "3"]);
    assert.match(diff.stdout, /^-deny = true$/m);
    assert.match(diff.stdout, /^\+deny = false$/m);
    const back = await ctl(daemon.prefix, ["config", "rollback", "2"]);
    assert.equal(back.code, 0, back.stderr);
    await assertDeniedBy(stage, "1.0.0");
    const events = await ctl(daemon.prefix, ["events", "--topic", "policy"]);
    assert.match(events.stdout, / policy attached +policy=guard /);
    assert.match(events.stdout, / policy denied +policy=guard /);
  });

  it("dev: upgrades on each change, goes on after mistakes, and detaches at the end", async (t) => {
    const stage = await startPolicyStage(t, { files: { "mine.ts": countingPolicy("1.0.0") } });
    const { daemon, kitchen, write } = stage;
    const file = fileOf(stage, "mine.ts");
    const dev = startDev(t, daemon.prefix, [file, "-c", '{"deny": true}']);
    await dev.line(/^attached mine /);
    await dev.line(/^watching /);
    await assertDeniedBy(stage, "1.0.0");
    write("mine.ts", countingPolicy("1.1.0"));
    await dev.line(/^upgraded mine .*1\.1\.0/);
    await assertDeniedBy(stage, "1.1.0");
    write("mine.ts", `${countingPolicy("1.2.0")}\nconst = 5;\n`);
    const lines = countingPolicy("1.2.0").split("\n").length;
    await dev.line(new RegExp(`^koalactl: ${file}:${lines + 1}:\\d+: `));
    await assertDeniedBy(stage, "1.1.0");
    // As editors do it.
    const draft = join(createFolder(t), "draft.ts");
    writeFileSync(draft, countingPolicy("1.3.0"));
    renameSync(draft, file);
    await dev.line(/^upgraded mine .*1\.3\.0/);
    await assertDeniedBy(stage, "1.3.0");
    assert.deepEqual(await dev.stop(), { code: 0, signal: null });
    assert.match(dev.output(), /^detached mine /m);
    await kitchen.echo({});
    assert.equal(
      (await ctlJson<PoliciesAnswer>(daemon.prefix, ["policy", "list"])).policies.length,
      0,
    );
  });

  it("dev: says which folders are allowed when the file is in none of them", async (t) => {
    const daemon = await startDaemon(t);
    const file = join(createFolder(t), "mine.ts");
    writeFileSync(file, countingPolicy("1.0.0"));
    const dev = startDev(t, daemon.prefix, [file]);
    assert.deepEqual(await dev.exit(), { code: 1, signal: null });
    assert.match(dev.output(), /^koalactl: .*may not be loaded.*directories in \[modules\]/);
  });

  it("dev: goes on over an upgrade of the daemon", async (t) => {
    const stage = await startPolicyStage(t, { files: { "mine.ts": countingPolicy("1.0.0") } });
    const { daemon, write } = stage;
    const dev = startDev(t, daemon.prefix, [fileOf(stage, "mine.ts"), "-c", '{"deny": true}']);
    await dev.line(/^watching /);
    const upgraded = await ctl(daemon.prefix, ["upgrade", "--daemon"]);
    assert.equal(upgraded.code, 0, upgraded.stderr);
    assert.match(upgraded.stdout, /^failed +0$/m);
    await until("the new daemon answers", async () => {
      return (await ctl(daemon.prefix, ["policy", "list"])).code === 0;
    });
    await assertDeniedBy(stage, "1.0.0");
    write("mine.ts", countingPolicy("1.1.0"));
    await dev.line(/^upgraded mine .*1\.1\.0/);
    await assertDeniedBy(stage, "1.1.0");
    assert.deepEqual(await dev.stop(), { code: 0, signal: null });
  });
});
