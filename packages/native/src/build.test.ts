import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { buildAddon, findHeaders, headerFolders } from "./build.ts";

test("headers are looked for beside node, then in npm_config_nodedir", () => {
  const folders = headerFolders({ npm_config_nodedir: "/opt/node" }, process.execPath);
  assert.match(folders[0] ?? "", /\/include\/node$/);
  assert.equal(folders[1], "/opt/node/include/node");
  assert.equal(headerFolders({}, process.execPath).length, 1);
});

test("a folder needs both headers, and an error names every place", () => {
  const folder = mkdtempSync(join(tmpdir(), "koala-headers-"));
  const [first, second] = [join(folder, "first"), join(folder, "second")];
  for (const path of [first, second]) {
    mkdirSync(path);
    writeFileSync(join(path, "node_api.h"), "");
  }
  assert.throws(
    () => findHeaders([first, second]),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, "ERR_NATIVE_HEADERS");
      assert.ok(error.message.includes(first) && error.message.includes(second));
      return true;
    },
  );
  writeFileSync(join(second, "uv.h"), "");
  assert.equal(findHeaders([first, second]), second);
  rmSync(folder, { recursive: true });
});

test("an addon that is up to date is not built again", async () => {
  await buildAddon();
  assert.equal(await buildAddon(), false);
});
