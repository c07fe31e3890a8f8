// The guide "Move a service to Koala": its files, before and after what it changes, compiled and run against each other.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { type Child, type Ending, spawnNode, until } from "@koala/testing";
import { file_ride_v1_ride } from "../gen/ride/v1/ride_pb.ts";
import { atEnd, createFolder, type Daemon, startCluster, startDaemon } from "../stage/cluster.ts";
import { runCtl } from "../stage/run-koalactl.ts";
import { type Block, blocksOf, patched } from "./guide-blocks.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const compiler = join(root, "node_modules/typescript/bin/tsc");
const blocks = blocksOf(readFileSync(join(root, "docs/guides/migrate.md"), "utf8"));
const libraries = ["connect", "grpc-js", "nice-grpc"] as const;
type Library = (typeof libraries)[number];
/** Of a server: its own port, both, the mesh alone. */
const states = ["before", "after", "last"] as const;

const expected = [
  "Invalid_argument: you are there already",
  "booked home-work",
  "driver Ada",
  "minutes left 1",
  "minutes left 2",
];

function blocksFor(file: string): Block[] {
  return blocks.filter((block) => block.file === file);
}

function contentOf(file: string, index = 0): string {
  const block = blocksFor(file)[index];
  assert.ok(block !== undefined, `the guide shows ${file}`);
  return block.text;
}

/** What a client says, whatever its library calls things and whichever line comes first. */
function said(output: string): string[] {
  return output
    .trim()
    .split("\n")
    .map((line) => line.replace(/^(?:InvalidArgument|INVALID_ARGUMENT) /, "Invalid_argument: "))
    .sort();
}

/** Everything that the guide shows as a project, in each state: `before/connect/server.ts`. */
function writeProject(folder: string): void {
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions, include: ["src"] }),
  );
  const sources = new Map<string, string>();
  for (const { file, language, text } of blocks) {
    if (language === "ts") {
      const isLast = sources.has(`before/${file}`);
      for (const state of isLast ? ["last"] : states) sources.set(`${state}/${file}`, text);
    } else if (language === "diff") {
      const changed = patched(sources.get(`before/${file}`) ?? "", text, file);
      for (const state of ["after", "last"]) sources.set(`${state}/${file}`, changed);
    }
  }
  for (const [file, text] of sources) {
    const path = join(folder, "src", file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  for (const state of states) {
    for (const library of libraries) {
      const gen = join(folder, "src", state, library, "gen");
      const made = join(root, "tests/guide/gen", library);
      if (library !== "connect") cpSync(made, gen, { recursive: true });
      cpSync(join(root, "tests/src/gen/ride/v1"), gen, { recursive: true });
    }
  }
  const file = [file_ride_v1_ride.proto];
  const set = toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file }));
  writeFileSync(join(folder, "ride.binpb"), set);
}

const compilerOptions = {
  target: "es2022",
  module: "nodenext",
  strict: true,
  skipLibCheck: true,
  rewriteRelativeImportExtensions: true,
  esModuleInterop: true,
  types: ["node"],
  rootDir: "src",
  outDir: "dist",
};

describe("the guide to move a service", { timeout: 400_000 }, () => {
  let folder = "";
  const ends: (() => unknown)[] = [];
  before(async () => {
    folder = createFolder({ after: (end: () => unknown) => void ends.unshift(end) } as Ending);
    writeProject(folder);
    const tsc = spawnNode(compiler, ["-p", folder], { cwd: folder });
    ends.unshift(() => tsc.stop());
    const { code } = await tsc.exit();
    assert.equal(code, 0, tsc.output());
  });
  after(async () => {
    for (const end of ends) await end();
  });

  function start(test: Ending, program: string, env: Record<string, string>): Child {
    const child = spawnNode(join(folder, "dist", `${program}.js`), [], {
      cwd: folder,
      env: { KOALA_PREFIX: "/nonexistent", PORT: "0", ...env },
    });
    atEnd(test, () => child.stop());
    return child;
  }

  /** Starts a server; resolves with the port it has besides. */
  async function serve(
    test: Ending,
    library: Library,
    state: "before" | "after",
    env: Record<string, string> = {},
  ): Promise<string> {
    const server = start(test, `${state}/${library}/server`, env);
    const [, port] = await server.line(/^port (\d+)$/);
    return `127.0.0.1:${port}`;
  }

  async function assertCalls(
    test: Ending,
    library: Library,
    state: "before" | "after",
    env: Record<string, string>,
  ): Promise<void> {
    const client = start(test, `${state}/${library}/client`, env);
    const { code, signal } = await client.exit();
    assert.deepEqual({ code, signal }, { code: 0, signal: null }, client.output());
    assert.deepEqual(said(client.output()), expected);
  }

  it("shows the service as the test has it, and names a file for all code", () => {
    assert.equal(
      contentOf("ride.proto"),
      readFileSync(join(root, "tests/proto/ride/v1/ride.proto"), "utf8"),
    );
    for (const { file, language, text } of blocks) {
      const isCode = ["ts", "diff", "toml", "ini", "proto"].includes(language);
      assert.equal(file !== "", isCode, text);
    }
    for (const library of libraries) {
      for (const program of ["server", "client"]) {
        const languages = blocksFor(`${library}/${program}.ts`).map(({ language }) => language);
        assert.deepEqual(languages.slice(0, 2), ["ts", "diff"], `${library}/${program}`);
      }
    }
  });

  for (const library of libraries) {
    it(`has a service of ${library} that works before`, async (t) => {
      const address = await serve(t, library, "before");
      await assertCalls(t, library, "before", { RIDES: address });
    });

    it(`moves a service of ${library}, with old and new clients at any time`, async (t) => {
      const daemon = await startDaemon(t, { config: ingress() });
      const env = { KOALA_PREFIX: daemon.prefix };
      const address = await serve(t, library, "after", env);
      await assertCalls(t, library, "after", env);
      await assertCalls(t, library, "before", { RIDES: address });
      await assertCalls(t, library, "before", { RIDES: await ingressOf(daemon) });
    });

    it(`moves it to where the client's host is another one than the server's: ${library}`, async (t) => {
      const { a, b } = await startCluster(t);
      await serve(t, library, "after", { KOALA_PREFIX: b.prefix });
      await until("host a knows of the rides", async () => {
        const { stdout } = await runCtl(a.prefix, ["services"]);
        return /\brides\b/.test(stdout);
      });
      await assertCalls(t, library, "after", { KOALA_PREFIX: a.prefix });
    });
  }

  for (const library of ["connect", "grpc-js"] as const) {
    it(`takes the port of a service of ${library} away, and ends it in order`, async (t) => {
      const env = { KOALA_PREFIX: (await startDaemon(t)).prefix };
      const server = start(t, `last/${library}/server`, env);
      await server.line(/^serving rides$/);
      await assertCalls(t, library, "after", env);
      assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.output());
    });
  }

  it("tests a service of connect-es without a daemon", async (t) => {
    const child = start(t, "before/connect/rides.test", {});
    assert.deepEqual(await child.exit(), { code: 0, signal: null }, child.output());
  });

  it("lets clients of all libraries call a server that does not move", async (t) => {
    const address = await serve(t, "grpc-js", "before");
    const config = contentOf("/etc/koala/koala.toml", 1)
      .replace("127.0.0.1:8080", address)
      .replace("/etc/koala/ride.binpb", join(folder, "ride.binpb"));
    const daemon = await startDaemon(t, { config });
    await until("the rides are offered", async () => {
      const { stdout } = await runCtl(daemon.prefix, ["services"]);
      return /\brides\b/.test(stdout);
    });
    for (const library of libraries) {
      await assertCalls(t, library, "after", { KOALA_PREFIX: daemon.prefix });
    }
  });

  it("lets clients of one library call servers of another", async (t) => {
    const daemon = await startDaemon(t);
    const env = { KOALA_PREFIX: daemon.prefix };
    await serve(t, "grpc-js", "after", env);
    for (const library of ["connect", "nice-grpc"] as const) {
      await assertCalls(t, library, "after", env);
    }
  });

  it("shows commands that do what it says", async (t: TestContext) => {
    const daemon = await startDaemon(t);
    await serve(t, "connect", "after", { KOALA_PREFIX: daemon.prefix });
    const text = blocks.map((block) => block.text).join("");
    const [, json] = /koalactl call ride\.v1\.RideService\/Book -d '(.*)'/.exec(text) ?? [];
    const { stdout } = await runCtl(daemon.prefix, [
      "call",
      "ride.v1.RideService/Book",
      "-d",
      json!,
    ]);
    assert.match(stdout, /home-work/);
    assert.match((await runCtl(daemon.prefix, ["services"])).stdout, /\brides\b/);
    for (const [, command] of text.matchAll(/^koalactl (\w+)/gm)) {
      assert.equal((await runCtl(daemon.prefix, [command!, "--help"])).code, 0, command);
    }
  });

  it("shows a configuration that the daemon takes", async (t) => {
    const file = join(createFolder(t), "koala.toml");
    writeFileSync(file, contentOf("/etc/koala/koala.toml"));
    const program = fileURLToPath(import.meta.resolve("@koala/daemon/main"));
    const check = spawnNode(program, ["--check", "--config", file]);
    atEnd(t, () => check.stop());
    assert.deepEqual(await check.exit(), { code: 0, signal: null }, check.output());
  });
});

/** The section of the guide's configuration, at a port that is free. */
function ingress(): string {
  const [, section] = /(\[\[ingress\]\][\s\S]*)/.exec(contentOf("/etc/koala/koala.toml")) ?? [];
  return section!.replace("8081", "0");
}

async function ingressOf(daemon: Daemon): Promise<string> {
  let address: string | undefined;
  await until("the gateway runs", async () => {
    const { gateway } = await daemon.status();
    address = gateway?.state === "running" ? gateway.ingresses[0]?.address : undefined;
    return address !== undefined;
  });
  return address!;
}
