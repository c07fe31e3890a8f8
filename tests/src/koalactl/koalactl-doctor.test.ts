// `koalactl doctor` beside real daemons, without one, and where things are wrong.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Ending, spawnNode } from "@koala/testing";
import { atEnd, createFolder, startDaemon } from "../stage/cluster.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const ctlProgram = join(root, "packages/ctl/dist/main.js");

interface Finding {
  verdict: string;
  text: string;
  fix?: string;
}

interface Diagnosis {
  code: number | null;
  verdict: string;
  /** By what was checked. */
  findings: Record<string, Finding>;
}

/** Runs it in a folder, and reads what it says. */
async function doctor(
  test: Ending,
  args: readonly string[],
  { cwd, env = {} }: { cwd: string; env?: Record<string, string> },
): Promise<Diagnosis> {
  const child = spawnNode(ctlProgram, ["-o", "json", "doctor", ...args], {
    env: { KOALA_PREFIX: "", KOALA_LISTEN: "127.0.0.1:0", ...env },
    cwd,
  });
  atEnd(test, () => child.stop());
  const { code } = await child.exit();
  return { code, ...readDiagnosis(child.output()) };
}

function readDiagnosis(output: string): Omit<Diagnosis, "code"> {
  const { verdict, groups } = JSON.parse(output) as {
    verdict: string;
    groups: { findings: (Finding & { check: string })[] }[];
  };
  const all = groups.flatMap(({ findings }) => findings);
  return { verdict, findings: Object.fromEntries(all.map((one) => [one.check, one])) };
}

describe("koalactl doctor", { timeout: 170_000 }, () => {
  it("works without a daemon, and says how to start one", async (t) => {
    const cwd = createFolder(t);
    const prefix = join(cwd, "koala");
    const { code, verdict, findings } = await doctor(t, ["--prefix", prefix], { cwd });
    assert.deepEqual([code, verdict], [0, "warning"]);
    assert.match(findings["daemon"]!.fix!, new RegExp(`koalad --prefix ${prefix}`));
    for (const check of ["addon", "sealed memory", "koalad", "configuration", "folder"]) {
      assert.equal(findings[check]?.verdict, "ok", check);
    }
  });

  it("knows the daemon that runs, its port and its limits", async (t) => {
    const daemon = await startDaemon(t);
    const args = ["--prefix", daemon.prefix, "--config", join(daemon.prefix, "koala.toml")];
    const env = { KOALA_LISTEN: daemon.address };
    const { code, findings } = await doctor(t, args, { cwd: daemon.prefix, env });
    assert.equal(code, 0);
    assert.match(findings["daemon"]!.text, new RegExp(`process ${daemon.pid},`));
    assert.equal(findings["version"]!.verdict, "ok");
    assert.equal(findings["control socket"]!.verdict, "ok");
    assert.deepEqual(findings["daemon.listen"], {
      check: "daemon.listen",
      verdict: "ok",
      text: `${daemon.address} is held by the daemon, process ${daemon.pid}`,
    });
    const { closures } = (await daemon.status()).runtimes[0]!;
    assert.deepEqual(closures, [], "the daemon takes no notice");
  });

  it("says that a daemon was killed", async (t) => {
    const daemon = await startDaemon(t);
    await daemon.kill();
    const cwd = daemon.prefix;
    const { code, findings } = await doctor(t, ["--prefix", daemon.prefix], { cwd });
    assert.equal(code, 0);
    assert.match(findings["daemon"]!.text, /killed has left its sockets/);
  });

  it("ends with 1 for a configuration that is wrong, with the place in it", async (t) => {
    const cwd = createFolder(t);
    writeFileSync(join(cwd, "koala.toml"), '[daemon]\nlissten = "127.0.0.1:0"\n');
    const { code, verdict, findings } = await doctor(t, [], { cwd });
    assert.deepEqual([code, verdict], [1, "problem"]);
    const { verdict: found, text, fix } = findings["configuration"]!;
    assert.equal(found, "problem");
    assert.match(text, /koala\.toml:2:1: unknown key "lissten"[\s\S]*Did you mean "listen"\?/);
    assert.match(fix!, /koala\.toml/);
  });

  it("ends with 1 for a port that another program holds", async (t) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    atEnd(t, () => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    const daemon = await startDaemon(t);
    const env = { KOALA_LISTEN: `127.0.0.1:${port}` };
    const args = ["--prefix", daemon.prefix];
    const { code, findings } = await doctor(t, args, { cwd: daemon.prefix, env });
    assert.equal(code, 1);
    assert.equal(findings["daemon.listen"]!.verdict, "problem");
    assert.match(findings["daemon.listen"]!.text, /held by another program/);
  });

  it("says what is wrong with an addon that is not built", async (t) => {
    const folder = createFolder(t);
    const modules = join(folder, "node_modules");
    mkdirSync(join(modules, "@koala/native"), { recursive: true });
    // The installed packages, apart from the binary of one of them.
    const link = (name: string): void =>
      symlinkSync(join(root, "node_modules", name), join(modules, name));
    for (const name of ["commander", "@bufbuild"]) link(name);
    for (const name of readdirSync(join(root, "node_modules/@koala"))) {
      if (name !== "native") link(`@koala/${name}`);
    }
    for (const name of ["package.json", "dist"]) {
      const from = join(root, "packages/native", name);
      cpSync(from, join(modules, "@koala/native", name), { recursive: true });
    }
    const child = spawnNode(join(modules, "@koala/ctl/dist/main.js"), ["doctor", "-o", "json"], {
      env: {
        KOALA_PREFIX: join(folder, "koala"),
        // Modules are looked for beside the link, not beside what it leads to.
        NODE_OPTIONS: "--preserve-symlinks --preserve-symlinks-main",
      },
      cwd: folder,
    });
    atEnd(t, () => child.stop());
    assert.equal((await child.exit()).code, 1, child.output());
    const { findings } = readDiagnosis(child.output());
    assert.equal(findings["addon"]!.verdict, "problem");
    assert.match(findings["addon"]!.text, /the addon is not built: no .*koala\.node$/);
    assert.match(findings["addon"]!.fix!, /^run "npm run build"/);
    assert.equal(findings["node"]!.verdict, "ok");
  });
});
