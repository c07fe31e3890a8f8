import assert from "node:assert/strict";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createPrefix } from "../fake-daemon-helper.test.ts";
import { checkPrefix } from "./prefix-checks.ts";

function verdicts(prefix: string): Record<string, string> {
  return Object.fromEntries(checkPrefix(prefix).map(({ check, verdict }) => [check, verdict]));
}

describe("checkPrefix", () => {
  it("takes a folder of this user, and one that can be made", (t) => {
    const prefix = createPrefix(t);
    assert.deepEqual(verdicts(prefix), { "path length": "ok", folder: "ok", mode: "ok" });
    assert.deepEqual(verdicts(join(prefix, "a", "b")), { "path length": "ok", folder: "ok" });
  });

  it("refuses a path that is too long for sockets, and what is no folder", (t) => {
    const prefix = createPrefix(t);
    const long = join(prefix, "x".repeat(80));
    assert.equal(verdicts(long)["path length"], "problem");
    writeFileSync(join(prefix, "file"), "");
    assert.equal(verdicts(join(prefix, "file"))["folder"], "problem");
  });

  it("warns of a folder that others may write to, unless it is sticky", (t) => {
    const prefix = join(createPrefix(t), "open");
    mkdirSync(prefix);
    chmodSync(prefix, 0o777);
    assert.equal(verdicts(prefix)["mode"], "warning");
    chmodSync(prefix, 0o1777);
    assert.equal(verdicts(prefix)["mode"], "ok");
    chmodSync(prefix, 0o775);
    const finding = checkPrefix(prefix).find(({ check }) => check === "mode")!;
    assert.equal(finding.fix, `chmod 755 ${prefix}`);
  });

  it("says who has to make a folder where this user may not", (t) => {
    if (process.getuid?.() === 0) {
      t.skip("root may write everywhere");
      return;
    }
    const above = createPrefix(t);
    chmodSync(above, 0o555);
    const finding = checkPrefix(join(above, "koala")).find(({ check }) => check === "folder")!;
    assert.equal(finding.verdict, "problem");
    assert.match(finding.fix!, /^sudo install -d -o /);
  });
});
