import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { KoalaError } from "@koala/interface";
import { loadConfig, parseConfig } from "./load.ts";

const directory = mkdtempSync(join(tmpdir(), "koala-config-"));
after(() => rmSync(directory, { recursive: true }));

function fileWith(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function failsWith(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof KoalaError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

describe("loadConfig", () => {
  const path = fileWith("koala.toml", '[daemon]\nprefix = "run"\nlisten = "a:1"\nname = "x"');

  it("layers defaults, file, environment and flags", () => {
    const env = { XDG_RUNTIME_DIR: "/run/user/7" };
    assert.equal(loadConfig({ env }).daemon.prefix, "/run/user/7/koala");
    assert.equal(loadConfig({ env: {} }).daemon.prefix, `/tmp/koala-${process.getuid?.()}`);
    assert.equal(
      loadConfig({ env: { XDG_RUNTIME_DIR: "relative" } }).daemon.prefix,
      `/tmp/koala-${process.getuid?.()}`,
    );

    assert.equal(loadConfig({ path, env }).daemon.prefix, join(directory, "run"));
    const variables = { ...env, KOALA_PREFIX: "/p", KOALA_LISTEN: "b:2" };
    const { daemon } = loadConfig({ path, env: variables });
    assert.deepEqual([daemon.prefix, daemon.listen?.host, daemon.name], ["/p", "b", "x"]);
    const flags = loadConfig({ path, env: variables, prefix: "/q", listen: "c:3" }).daemon;
    assert.deepEqual([flags.prefix, flags.listen?.host], ["/q", "c"]);
  });

  it("takes an empty KOALA_PREFIX for none and an empty KOALA_LISTEN for no port", () => {
    const env = { KOALA_PREFIX: "", KOALA_LISTEN: "" };
    const { daemon } = loadConfig({ path, env });
    assert.deepEqual([daemon.prefix, daemon.listen], [join(directory, "run"), null]);
  });

  it("names the variable or flag that is wrong, and only the one that counts", () => {
    assert.throws(
      () => loadConfig({ env: { KOALA_LISTEN: "nowhere" } }),
      failsWith("ERR_CONFIG_INVALID", /^KOALA_LISTEN: must be an address.*"nowhere:4500"\?$/),
    );
    assert.throws(
      () => loadConfig({ env: {}, prefix: "" }),
      failsWith("ERR_CONFIG_INVALID", /^--prefix: must be the path of a directory, found ""\.$/),
    );
    loadConfig({ env: { KOALA_LISTEN: "nowhere" }, listen: "here:1" });
  });

  it("refuses a file that is missing, no file, too large or not UTF-8", () => {
    const load = (file: string) => () => loadConfig({ path: file, env: {} });
    const missing = join(directory, "none.toml");
    assert.throws(load(missing), failsWith("ERR_CONFIG_FILE", /none\.toml: there is no such file/));
    assert.throws(load(directory), failsWith("ERR_CONFIG_FILE", /not a regular file/));
    const large = fileWith("large.toml", "#".repeat(1024 * 1024 + 1));
    assert.throws(load(large), failsWith("ERR_CONFIG_FILE", /larger than 1048576/));
    loadConfig({ path: fileWith("full.toml", "#".repeat(1024 * 1024)), env: {} });
    const latin = fileWith("latin.toml", Buffer.from('name = "\xe9"', "latin1"));
    assert.throws(load(latin), failsWith("ERR_CONFIG_FILE", /not UTF-8/));
  });

  it("does not wait for a pipe", () => {
    const pipe = join(directory, "pipe.toml");
    execFileSync("mkfifo", [pipe]);
    assert.throws(
      () => loadConfig({ path: pipe, env: {} }),
      failsWith("ERR_CONFIG_FILE", /not a regular file/),
    );
  });
});

describe("parseConfig", () => {
  it("tells text that is no TOML from a wrong configuration", () => {
    assert.throws(() => parseConfig("[", "k.toml"), failsWith("ERR_CONFIG_SYNTAX", /^k\.toml:1:/));
    assert.throws(
      () => parseConfig("[x]", "k.toml"),
      failsWith("ERR_CONFIG_INVALID", /^k\.toml:1:2: unknown section "x"/),
    );
  });
});
