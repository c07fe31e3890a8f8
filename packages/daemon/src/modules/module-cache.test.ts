import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { KoalaError } from "@koala/interface";
import { createTempDirectory } from "@koala/testing";
import { closeModuleCache, openModuleCache } from "./module-cache.ts";

describe("openModuleCache", () => {
  it("makes a folder for this process and removes those of processes that have ended", (test) => {
    const prefix = createTempDirectory(test);
    // The kernel's limit is below that, so no process has this number.
    mkdirSync(join(prefix, "modules", "4194305"), { recursive: true, mode: 0o700 });
    mkdirSync(join(prefix, "modules", "1"));
    const folder = openModuleCache(prefix);
    assert.deepEqual(readdirSync(join(prefix, "modules")).sort(), ["1", String(process.pid)]);
    closeModuleCache(folder);
    assert.deepEqual(readdirSync(join(prefix, "modules")), ["1"]);
  });

  it("leaves nothing behind", (test) => {
    const prefix = createTempDirectory(test);
    closeModuleCache(openModuleCache(prefix));
    assert.equal(existsSync(join(prefix, "modules")), false);
  });

  it("refuses a folder that others can write to, or that is a link", (test) => {
    const isRefused = (error: unknown): boolean =>
      error instanceof KoalaError && error.code === "ERR_MODULE_CACHE";
    const open = createTempDirectory(test);
    mkdirSync(join(open, "modules"));
    chmodSync(join(open, "modules"), 0o777);
    assert.throws(() => openModuleCache(open), isRefused);
    const shared = createTempDirectory(test);
    chmodSync(shared, 0o777);
    assert.throws(() => openModuleCache(shared), isRefused);
    chmodSync(shared, 0o1777);
    closeModuleCache(openModuleCache(shared));
    const linked = createTempDirectory(test);
    mkdirSync(join(linked, "elsewhere"), { mode: 0o700 });
    symlinkSync(join(linked, "elsewhere"), join(linked, "modules"));
    assert.throws(() => openModuleCache(linked), isRefused);
  });
});
