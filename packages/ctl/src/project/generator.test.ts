import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { createPrefix, ctl } from "../fake-daemon-helper.test.ts";
import { findGenerator } from "./generator.ts";

/** A project with a schema, and with programs of these names in its node_modules/.bin. */
function createProject(t: TestContext, programs: readonly string[]): string {
  const folder = createPrefix(t);
  mkdirSync(join(folder, "proto/a"), { recursive: true });
  writeFileSync(join(folder, "proto/a/a.proto"), 'syntax = "proto3";\n');
  const bin = join(folder, "node_modules/.bin");
  mkdirSync(bin, { recursive: true });
  for (const name of programs) {
    writeFileSync(join(bin, name), '#!/bin/sh\necho "$0 $*"\nexit 3\n', { mode: 0o755 });
  }
  return folder;
}

const env = { PATH: "/nowhere" };

describe("findGenerator", () => {
  it("takes buf before protoc, from the project or a folder around it", (t) => {
    const folder = createProject(t, ["buf", "protoc", "protoc-gen-es"]);
    mkdirSync(join(folder, "inner/proto"), { recursive: true });
    const { tool, command, args, path } = findGenerator(join(folder, "inner"), env);
    assert.equal(tool, "buf");
    assert.equal(command, join(folder, "node_modules/.bin/buf"));
    assert.equal(args[0], "generate");
    assert.ok(path.split(delimiter).includes("/nowhere"));
  });

  it("leaves buf.gen.yaml to buf, and knows which folders it reads", (t) => {
    const folder = createProject(t, ["buf"]);
    const template = "version: v2\ninputs:\n  - directory: proto\n  - directory: 'more'\n";
    writeFileSync(join(folder, "buf.gen.yaml"), template);
    const { args, inputs } = findGenerator(folder, env);
    assert.deepEqual(args, ["generate"]);
    assert.deepEqual(inputs, ["proto", "more"]);
  });

  it("takes protoc where there is no buf, with all files", (t) => {
    const folder = createProject(t, ["protoc", "protoc-gen-es"]);
    writeFileSync(join(folder, "buf.gen.yaml"), "version: v2\n");
    const { tool, args, note } = findGenerator(folder, env);
    assert.equal(tool, "protoc");
    assert.equal(args.at(-1), "a/a.proto");
    assert.ok(args.includes("--es_out=src/gen"), args.join(" "));
    assert.match(note!, /does not read buf\.gen\.yaml/);
  });

  it("says what to install", (t) => {
    const install = { code: "ERR_CTL_GENERATOR", message: /npm install --save-dev @bufbuild\// };
    assert.throws(() => findGenerator(createProject(t, []), env), install);
    assert.throws(() => findGenerator(createProject(t, ["protoc"]), env), install);
    assert.throws(() => findGenerator(createProject(t, ["buf"]), env), install);
    assert.throws(() => findGenerator(createPrefix(t), env), { code: "ERR_CTL_USAGE" });
  });
});

describe("koalactl gen", () => {
  it("passes on what the tool says when it fails", async (t) => {
    const folder = createProject(t, ["buf", "protoc-gen-es"]);
    const { code, stderr } = await ctl(["gen", folder], { env: { PATH: "/bin:/usr/bin" } });
    assert.equal(code, 1);
    assert.match(stderr, /^koalactl: buf failed in .* \(3\):\n {2}\S+\/buf generate --template/);
  });
});
