// From an empty folder to a call: what `koalactl init` writes is generated, compiled, run and changed.
import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Child, type ChildExit, type Ending, spawnNode, until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { atEnd, createFolder, startDaemon } from "../stage/cluster.ts";
import { connectTo, startKitchen } from "../stage/kitchen.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const ctlProgram = join(root, "packages/ctl/dist/main.js");
const daemonProgram = fileURLToPath(import.meta.resolve("@koala/daemon/main"));
const compiler = join(root, "node_modules/typescript/bin/tsc");
/** Where `npm run codegen` installs buf and protoc-gen-es; a clone that never ran it has none. */
const generators = join(root, "tools/codegen/node_modules/.bin");
const hasGenerators = existsSync(join(generators, "buf"));
const needsGenerators = hasGenerators ? {} : { skip: "buf is not installed: npm run codegen" };

const path = `${generators}${delimiter}${process.env["PATH"] ?? ""}`;

interface Started {
  cwd?: string;
  env?: Record<string, string>;
}

function start(test: Ending, program: string, args: readonly string[], options: Started): Child {
  const env = { KOALA_PREFIX: "", NO_COLOR: "1", PATH: path, ...options.env };
  const cwd = options.cwd === undefined ? {} : { cwd: options.cwd };
  const child = spawnNode(program, args, { env, ...cwd });
  atEnd(test, () => child.stop());
  return child;
}

function ctl(test: Ending, args: readonly string[], options: Started = {}): Child {
  return start(test, ctlProgram, args, options);
}

/** Waits for its end, which must be in order. */
async function done(child: Child): Promise<string> {
  const { code, signal } = await child.exit();
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, child.output());
  return child.output();
}

/** A project as `koalactl init` makes it, with everything installed. */
async function createProject(test: Ending): Promise<string> {
  const folder = join(createFolder(test), "hello");
  await done(ctl(test, ["init", folder]));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** Starts `koalactl dev --temporary`; resolves when it says where apps find it. */
async function startDev(test: Ending, cwd: string): Promise<{ dev: Child; prefix: string }> {
  const dev = ctl(test, ["dev", "--temporary"], { cwd });
  const [, prefix] = await dev.line(/^ready in (.+)$/);
  await dev.line(/^ {2}Ctrl-C/);
  return { dev, prefix: prefix! };
}

/** The process that serves the prefix. */
function daemonPid(prefix: string): number {
  return Number(readFileSync(join(prefix, "koalad.pid"), "utf8"));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const clean: ChildExit = { code: 0, signal: null };

describe("koalactl init, gen and dev", { timeout: 170_000 }, () => {
  it("get from an empty folder to a call", async (t) => {
    const cwd = await createProject(t);
    if (hasGenerators)
      assert.match(await done(ctl(t, ["gen"], { cwd })), /^generated with buf in /);
    else cpSync(join(root, "examples/hello/src/gen"), join(cwd, "src/gen"), { recursive: true });
    assert.equal(await done(start(t, compiler, ["-p", "."], { cwd })), "");

    const { dev, prefix } = await startDev(t, cwd);
    const env = { KOALA_PREFIX: prefix };
    const server = start(t, join(cwd, "dist/server.js"), [], { env });
    await server.line(/^serving greeter$/);
    await dev.line(/ INFO {2}app .*service=hello\.v1\.GreetService/);
    assert.equal(await done(start(t, join(cwd, "dist/client.js"), [], { env })), "Hello, Koala\n");
    server.kill("SIGINT");
    assert.deepEqual(await server.exit(), clean, server.output());

    const pid = daemonPid(prefix);
    dev.kill("SIGINT");
    assert.deepEqual(await dev.exit(), clean, dev.output());
    assert.equal(existsSync(prefix), false, "the prefix is gone");
    assert.equal(isAlive(pid), false, "the daemon is gone");
  });

  it("write a configuration that koalad takes, also with everything in it that is commented out", async (t) => {
    const cwd = await createProject(t);
    const file = join(cwd, "koala.toml");
    const check = () => done(start(t, daemonProgram, ["--check", "--config", file], { cwd }));
    assert.match(await check(), /in order/);
    const text = readFileSync(file, "utf8");
    const all = text.replace(/^# (?=\[|\w+ = )/gm, "");
    assert.match(all, /^\[\[policy\]\]\nname = /m);
    writeFileSync(file, all);
    assert.match(await check(), /in order/);
  });

  it("generate again when a schema changes", needsGenerators, async (t) => {
    const cwd = await createProject(t);
    const gen = ctl(t, ["gen", "--watch"], { cwd });
    await gen.line(/^watching /);
    const schema = join(cwd, "proto/hello/v1/hello.proto");
    const generated = join(cwd, "src/gen/hello/v1/hello_pb.ts");
    const text = readFileSync(schema, "utf8");
    writeFileSync(schema, text.replace("string name = 1;", "strin name = 1;"));
    await gen.line(/^koalactl: buf failed in /);
    writeFileSync(schema, text.replace("string name = 1;", "string name = 1; int32 age = 2;"));
    await until("the new field is there", () =>
      /age: number/.test(readFileSync(generated, "utf8")),
    );
    gen.kill("SIGINT");
    assert.deepEqual(await gen.exit(), clean, gen.output());
  });
});

describe("koalactl dev", { timeout: 170_000 }, () => {
  it("applies the configuration when it changes, and says what is wrong with it", async (t) => {
    const cwd = createFolder(t);
    const file = join(cwd, "koala.toml");
    writeFileSync(file, "");
    const { dev } = await startDev(t, cwd);
    writeFileSync(file, '[[policy]]\nuse = "nul"\n');
    await dev.line(/^koalactl: .*"nul"/);
    writeFileSync(file, '[[policy]]\nuse = "null"\n');
    await dev.line(/^applied {2}attached null, revision \d+$/);
    writeFileSync(file, '[[policy]]\nuse = "null"\n[limits]\napps = 7\n');
    await dev.line(/^applied {2}limits\.apps needs a restart/);
    dev.kill("SIGTERM");
    assert.deepEqual(await dev.exit(), clean, dev.output());
  });

  it("leaves no folder behind that it has made", async (t) => {
    const cwd = createFolder(t);
    const prefix = join(cwd, "made");
    const dev = ctl(t, ["--prefix", prefix, "dev", "--listen", ""], { cwd });
    await dev.line(new RegExp(`^ready in ${prefix}$`));
    dev.kill("SIGINT");
    assert.deepEqual(await dev.exit(), clean, dev.output());
    assert.equal(existsSync(prefix), false);
  });

  it("takes its daemon with it, also when it is killed", async (t) => {
    const { dev, prefix } = await startDev(t, createFolder(t));
    // What a killed program can't remove is the test's to remove.
    atEnd(t, () => rmSync(prefix, { recursive: true, force: true }));
    const pid = daemonPid(prefix);
    dev.kill("SIGKILL");
    await until("the daemon has ended", () => !isAlive(pid));
  });

  it("goes on with the daemon that takes over in an upgrade", async (t) => {
    const { dev, prefix } = await startDev(t, createFolder(t));
    const before = daemonPid(prefix);
    await done(ctl(t, ["--prefix", prefix, "upgrade", "--daemon"]));
    const after = daemonPid(prefix);
    assert.notEqual(after, before);
    dev.kill("SIGINT");
    assert.deepEqual(await dev.exit(), clean, dev.output());
    await until("the second daemon has ended", () => !isAlive(after));
  });

  it("lets calls end after Ctrl-C, and cuts them off after a second one", async (t) => {
    for (const count of [1, 2]) {
      const { dev, prefix } = await startDev(t, createFolder(t));
      const server = await startKitchen(t, { prefix });
      const mesh = await connectTo(t, { prefix });
      const call = mesh.client(Kitchen, "kitchen").wait({ key: "dish" });
      const outcome = call.then(
        () => "replied",
        () => "failed",
      );
      await server.line(/^began dish$/);
      dev.kill("SIGINT");
      await dev.line(/ draining /);
      if (count === 1) server.write("release dish");
      else dev.kill("SIGINT");
      assert.equal(await outcome, count === 1 ? "replied" : "failed");
      assert.deepEqual(await dev.exit(), clean, dev.output());
    }
  });

  it("leaves a daemon alone that is there already", async (t) => {
    const daemon = await startDaemon(t);
    const cwd = createFolder(t);
    const dev = ctl(t, ["dev", "--prefix", daemon.prefix, "--listen", ""], { cwd });
    assert.equal((await dev.exit()).code, 1, dev.output());
    assert.match(dev.output(), /another koalad .*serves it/);
    assert.match(dev.output(), /koalactl dev --temporary/);
    assert.equal((await daemon.status()).state, "running");
  });
});
