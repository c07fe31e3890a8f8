import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const addon = fileURLToPath(new URL("../addon", import.meta.url));

function cFiles(folder: string): string[] {
  return readdirSync(join(addon, folder))
    .filter((name) => name.endsWith(".c"))
    .map((name) => join(addon, folder, name));
}

test("the core passes its own tests under AddressSanitizer and UBSan, compiled without Node", () => {
  const folder = mkdtempSync(join(tmpdir(), "koala-core-"));
  try {
    const program = join(folder, "core-test");
    const flags = ["-std=c11", "-D_GNU_SOURCE", "-g", "-O1", "-Wall", "-Wextra", "-Werror"];
    const sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    const [compiler = "gcc", ...first] = (process.env["CC"] || "gcc").split(" ");
    execFileSync(compiler, [
      ...first,
      ...flags,
      ...sanitizers,
      ...cFiles("core"),
      ...cFiles("tests"),
      "-o",
      program,
    ]);
    const output = execFileSync(program, { encoding: "utf8", timeout: 60_000 });
    assert.equal(output.trimEnd().split("\n").at(-1), "ok");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
