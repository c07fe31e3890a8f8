import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createPrefix, ctl } from "../fake-daemon-helper.test.ts";
import { type InitAnswer, initProject } from "./init.ts";
import { templateFiles } from "./template.ts";

const paths = templateFiles("x", "1.0.0").map(({ path }) => path);

describe("initProject", () => {
  it("writes everything into a folder that it makes", (t) => {
    const folder = join(createPrefix(t), "My Service!");
    const answer = initProject(folder, "1.2.3");
    assert.deepEqual(answer.written, paths);
    assert.deepEqual(answer.kept, []);
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    assert.equal(manifest.name, "my-service");
    assert.equal(manifest.dependencies["@koala/mrpc"], "^1.2.3");
    assert.match(answer.next[0]!, /^cd .* && npm install && npm run build$/);
    assert.equal(answer.next.length, 3);
  });

  it("never touches what is there", (t) => {
    const folder = createPrefix(t);
    mkdirSync(join(folder, "src"));
    writeFileSync(join(folder, "src/server.ts"), "mine");
    symlinkSync("/nowhere/at/all", join(folder, "koala.toml"));
    const answer = initProject(folder, "1.2.3");
    assert.deepEqual(answer.kept, ["koala.toml", "src/server.ts"]);
    assert.equal(readFileSync(join(folder, "src/server.ts"), "utf8"), "mine");
    assert.deepEqual(initProject(folder, "1.2.3").written, []);
  });

  it("says what a manifest that is there lacks", (t) => {
    const folder = createPrefix(t);
    const manifest = { dependencies: { "@bufbuild/protobuf": "2" } };
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    const { next, notes } = initProject(folder, "1.2.3");
    assert.match(next[0]!, /npm install @koala\/mrpc@\^1\.2\.3 && npm install --save-dev /);
    assert.match(notes[0]!, /"type": "module"/);
  });
});

describe("koalactl init", () => {
  it("prints what it has done, for people and for programs", async (t) => {
    const folder = createPrefix(t);
    const first = await ctl(["init", folder]);
    assert.deepEqual([first.code, first.stderr], [0, ""]);
    for (const path of paths) assert.match(first.stdout, new RegExp(`^wrote {2}${path}$`, "m"));
    assert.match(first.stdout, /\nnext:\n {2}cd .*\n.*\n.*\n$/);
    const again = await ctl(["init", folder, "-o", "json"]);
    assert.deepEqual((JSON.parse(again.stdout) as InitAnswer).kept, paths);
  });

  it("says which file it can't write", async (t) => {
    const file = join(createPrefix(t), "file");
    writeFileSync(file, "");
    const { code, stderr } = await ctl(["init", file]);
    assert.equal(code, 1);
    assert.match(stderr, /^koalactl: can't write .*file/);
  });
});
