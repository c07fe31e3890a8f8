import assert from "node:assert/strict";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createPrefix } from "./fake-daemon-helper.test.ts";
import { watchFolder } from "./file-watch.ts";

const matches = (name: string): boolean => name.endsWith(".proto");
const never = new AbortController().signal;

describe("watchFolder", { timeout: 60_000 }, () => {
  it("sees files that are replaced, below the folder and in folders made later", async (t) => {
    const folder = createPrefix(t);
    mkdirSync(join(folder, "a"));
    const watch = watchFolder(folder, { matches, below: true });
    t.after(() => watch.close());
    for (const path of ["a/x.proto", "b/c/y.proto"]) {
      mkdirSync(join(folder, path, ".."), { recursive: true });
      writeFileSync(join(folder, path), "1");
      assert.equal(await watch.changed(never), true, path);
      // As editors do: a new file in the place of the old one.
      writeFileSync(join(folder, `${path}~`), "2");
      renameSync(join(folder, `${path}~`), join(folder, path));
      assert.equal(await watch.changed(never), true, path);
    }
  });

  it("ends when it is told to, and does not count other files", async (t) => {
    const folder = createPrefix(t);
    const watch = watchFolder(folder, { matches });
    t.after(() => watch.close());
    writeFileSync(join(folder, "notes.txt"), "1");
    const over = new AbortController();
    const changed = watch.changed(over.signal);
    writeFileSync(join(folder, "last.proto"), "1");
    assert.equal(await changed, true);
    const next = watch.changed(over.signal);
    over.abort();
    assert.equal(await next, false);
  });

  it("says what can't be watched", () => {
    assert.throws(() => watchFolder("/nowhere/at/all", { matches }), { code: "ERR_CTL_WATCH" });
  });
});
