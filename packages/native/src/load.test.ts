import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { abi } from "./abi.ts";
import { loadBinding } from "./load.ts";

const addonFolder = fileURLToPath(new URL("../addon/glue/", import.meta.url));
const indexUrl = new URL("./index.js", import.meta.url).href;

test("a missing addon says what to run", () => {
  assert.throws(() => loadBinding("/nowhere/koala.node"), {
    code: "ERR_NATIVE_MISSING",
    message: /not built: no \/nowhere\/koala\.node; run "npm run build"/,
  });
});

test("a file that is no addon says what to run", () => {
  const folder = mkdtempSync(join(tmpdir(), "koala-load-"));
  const path = join(folder, "koala.node");
  writeFileSync(path, "not an addon");
  assert.throws(() => loadBinding(path), { code: "ERR_NATIVE_LOAD", message: /npm run build/ });
  rmSync(folder, { recursive: true });
});

test("an addon of another version is refused", () => {
  const folder = mkdtempSync(join(tmpdir(), "koala-load-"));
  const path = join(folder, "koala.cjs");
  writeFileSync(path, `module.exports = { abi: ${abi + 1} };`);
  assert.throws(() => loadBinding(path), {
    code: "ERR_NATIVE_ABI",
    message: new RegExp(`ABI ${abi + 1}, expected ${abi}`),
  });
  rmSync(folder, { recursive: true });
});

test("the addon's ABI number is the one in its source", () => {
  const source = readFileSync(join(addonFolder, "addon.cc"), "utf8");
  assert.match(source, new RegExp(`const int32_t abi = ${abi};`));
  assert.equal(loadBinding().abi, abi);
});

test("the trace writes one line a call, with sizes but without content", () => {
  const source = `
    import * as native from ${JSON.stringify(indexUrl)};
    const [left] = native.unixPair(native.SOCKET_STREAM);
    native.socketWrite(left, new ArrayBuffer(64), 0, 5);
    try { native.closeFd(-1); } catch {}
  `;
  const run = (trace: string): string =>
    execFileSync(
      "/bin/sh",
      ["-c", 'exec "$0" --input-type=module -e "$1" 2>&1', process.execPath, source],
      {
        encoding: "utf8",
        env: { ...process.env, KOALA_NATIVE_TRACE: trace },
      },
    );
  const lines = run("1").trimEnd().split("\n");
  assert.equal(lines.length, 3);
  assert.match(
    lines[1] ?? "",
    /^koala-native socketWrite\(\d+, ArrayBuffer:64, 0, 5\) = 5 [\d.]+us$/,
  );
  assert.match(lines[2] ?? "", /^koala-native closeFd\(-1\) = threw [\d.]+us$/);
  assert.equal(run("0"), "");
});
