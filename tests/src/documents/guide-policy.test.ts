// The guide "Write a policy", step by step, as it is written.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { spawnNode, until } from "@koala/testing";
import { atEnd, createFolder, type Daemon, startDaemon } from "../stage/cluster.ts";

const root = new URL("../../../", import.meta.url);
const guide = read("docs/guides/write-a-policy.md");
const ctlProgram = fileURLToPath(new URL("packages/ctl/dist/main.js", root));

function read(path: string): string {
  return readFileSync(new URL(path, root), "utf8");
}

/** The first code block of a language behind the heading with a number, or behind a text. */
function blockOf(heading: string, language: string): string {
  const start = guide.indexOf(/^\d/.test(heading) ? `## ${heading}` : heading);
  assert.ok(start >= 0, `${heading} is in the guide`);
  const section = guide.slice(start);
  const block = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "m").exec(section);
  assert.ok(block !== null, `${heading} has a block of ${language}`);
  return block[1]!;
}

function ctl(daemon: Daemon, ...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    const all = [ctlProgram, "--prefix", daemon.prefix, ...args];
    execFile(process.execPath, all, { timeout: 60_000 }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
}

function greet(daemon: Daemon, name: string): Promise<string> {
  return ctl(daemon, "call", "hello.v1.GreetService/Greet", "-d", JSON.stringify({ name }));
}

/** The daemon, the folder for policies and the greeter of the guide's first step. */
async function prepare(t: TestContext): Promise<{ daemon: Daemon; file: string }> {
  const prefix = createFolder(t);
  mkdirSync(join(prefix, "policies"));
  const [, modules] = /(\[modules\][\s\S]*)/.exec(blockOf("1.", "toml")) ?? [];
  const daemon = await startDaemon(t, { prefix, config: modules! });
  const program = fileURLToPath(import.meta.resolve("@koala/example-hello/dist/server.js"));
  const server = spawnNode(program, [], { env: { KOALA_PREFIX: prefix } });
  atEnd(t, () => server.stop());
  await server.line(/^serving greeter$/);
  const file = join(prefix, "policies", "no-shouting.ts");
  writeFileSync(file, blockOf("2.", "ts"));
  return { daemon, file };
}

describe("the guide to write a policy", () => {
  it("shows the files of examples/policy", () => {
    assert.equal(blockOf("2.", "ts"), read("examples/policy/src/no-shouting.ts"));
    assert.equal(blockOf("4.", "ts"), read("examples/policy/src/no-shouting.test.ts"));
    assert.equal(blockOf("6.", "ts"), read("examples/policy/src/stream-quota.ts"));
    assert.equal(
      blockOf("The harness has", "ts"),
      read("examples/policy/src/stream-quota.test.ts"),
    );
  });

  it("gets the policy onto live calls, changed while it is there, and off again", async (t) => {
    const { daemon, file } = await prepare(t);
    assert.match(await greet(daemon, "Koala!!"), /Hello, Koala!!/);
    const dev = spawnNode(ctlProgram, ["--prefix", daemon.prefix, "policy", "dev", file]);
    atEnd(t, () => dev.stop());
    await dev.line(/^watching /);
    const denied = await greet(daemon, "Koala!!");
    assert.match(denied, /INVALID_ARGUMENT/);
    assert.match(
      denied,
      /please don't shout, Koala!! \(denied by policy no-shouting, rule marks; /,
    );
    assert.match(await greet(daemon, "Koala"), /Hello, Koala/);
    writeFileSync(file, readFileSync(file, "utf8").replace("please don't shout", "hush"));
    await until("the new code answers", async () => /hush/.test(await greet(daemon, "Koala!!")));
    writeFileSync(file, `${readFileSync(file, "utf8")}\nconst = 1;\n`);
    await dev.line(/no-shouting\.ts:\d+:\d+/);
    assert.match(await greet(daemon, "Koala!!"), /hush/, "the version before stays");
    dev.kill("SIGINT");
    await dev.exit();
    assert.match(await greet(daemon, "Koala!!"), /Hello, Koala!!/);
  });

  it("makes it a part of the configuration", async (t) => {
    const { daemon } = await prepare(t);
    appendFileSync(join(daemon.prefix, "koala.toml"), blockOf("5.", "toml"));
    assert.match(await ctl(daemon, "apply", "--dry-run"), /no-shouting/);
    assert.match(await greet(daemon, "Koala!!"), /Hello, Koala!!/, "a dry run changes nothing");
    await ctl(daemon, "apply");
    assert.match(await greet(daemon, "Koala!"), /Hello, Koala!/);
    assert.match(await greet(daemon, "Koala!!"), /please don't shout/);
    assert.match(await ctl(daemon, "config", "history"), /apply|koala\.toml/);
    await ctl(daemon, "config", "rollback", "1");
    assert.match(await greet(daemon, "Koala!!"), /Hello, Koala!!/);
  });
});
