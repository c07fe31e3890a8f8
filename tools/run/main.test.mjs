/** The entry as a program: what a person sees who mistypes. */
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { capture, run } from "./child.mjs";

test("an unknown command lists the known ones", async () => {
  const { code, output } = await capture(process.execPath, ["tools/run.mjs", "toString"]);
  assert.equal(code, 2);
  assert.match(output, /no command "toString"/);
  for (const verb of ["start", "test", "bench", "build", "check", "fix", "fuzz", "codegen"]) {
    assert.match(output, new RegExp(`^ {2}${verb}\\b`, "m"));
  }
});

test("an unknown fuzzer and a path without tests are refused without a stack", async () => {
  for (const args of [
    ["fuzz", "no-such-fuzzer"],
    ["test", "docs"],
  ]) {
    const { code, output } = await capture(process.execPath, ["tools/run.mjs", ...args], {
      env: { INIT_CWD: "." },
    });
    assert.equal(code, 1);
    assert.match(output, /^koala: no (fuzzer|tests)/);
    assert.doesNotMatch(output, / at .*\.mjs/);
  }
});

test("the exit code of a child is passed on, a signal as 128 and its number", async () => {
  assert.equal(await run(process.execPath, ["-e", "process.exit(7)"]), 7);
  assert.equal(await run(process.execPath, ["-e", 'process.kill(process.pid, "SIGKILL")']), 137);
  await assert.rejects(run("no-such-program", []), /ENOENT/);
});

test("capture collects both streams", async () => {
  const program = 'process.stdout.write("one\\n"); process.stderr.write("two\\n")';
  const { output } = await capture(process.execPath, ["-e", program]);
  assert.deepEqual(output.split("\n").sort(), ["one", "two"]);
});
