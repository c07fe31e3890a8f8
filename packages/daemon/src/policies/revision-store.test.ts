import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { KoalaError } from "@koala/interface";
import { createTempDirectory } from "@koala/testing";
import { stateOfFile } from "./desired-state.ts";
import { RevisionStore, revisionsKept, type StoredRevision } from "./revision-store.ts";

function revision(number: number): StoredRevision {
  return {
    format: 1,
    revision: number,
    time: "2026-01-01T00:00:00.000Z",
    who: { uid: 0, pid: 1, via: "admin" },
    summary: `change ${number}`,
    policies: [{ use: "null" }],
    fileHash: "abc",
    state: stateOfFile([]),
  };
}

function isRevisionError(error: unknown): boolean {
  return error instanceof KoalaError && error.code === "ERR_CONFIG_REVISION";
}

describe("RevisionStore", () => {
  it("finds after a restart what was written before", (test) => {
    const folder = join(createTempDirectory(test), "revisions");
    const store = new RevisionStore(folder);
    assert.equal(store.latest, 0);
    for (const number of [1, 2]) store.write(revision(number));
    const again = new RevisionStore(folder);
    again.open();
    assert.equal(again.latest, 2);
    assert.deepEqual(again.read(1), revision(1));
  });

  it("keeps a bounded number of them", (test) => {
    const folder = createTempDirectory(test);
    const store = new RevisionStore(folder);
    for (let number = 1; number <= revisionsKept + 3; number++) store.write(revision(number));
    assert.equal(readdirSync(folder).length, revisionsKept);
    assert.equal(store.all[0], 4);
    assert.throws(() => store.read(3), isRevisionError);
  });

  it("refuses what is no revision, and names the file", (test) => {
    const folder = createTempDirectory(test);
    writeFileSync(join(folder, "000007.json"), '{"format":1}');
    writeFileSync(join(folder, "000008.json.new"), "half");
    const store = new RevisionStore(folder);
    store.open();
    assert.equal(store.latest, 7);
    assert.throws(() => store.read(7), /000007\.json: not a revision/);
    assert.throws(() => store.read(8), isRevisionError);
  });

  it("says so when it can't write", (test) => {
    const folder = createTempDirectory(test);
    writeFileSync(join(folder, "file"), "");
    const store = new RevisionStore(join(folder, "none"));
    writeFileSync(join(folder, "none"), "a file where the folder should be");
    assert.throws(() => store.write(revision(1)), isRevisionError);
    assert.equal(store.latest, 0);
  });
});
