import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { DemoProcess } from "./demo-process.ts";

const deadlineMs = 10_000;

describe("DemoProcess", () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "koala-geo-test-"));
  });
  after(() => rmSync(directory, { recursive: true }));

  let programCount = 0;
  function start(source: string, env: Record<string, string> = {}) {
    const program = join(directory, `program-${programCount++}.mjs`);
    writeFileSync(program, source);
    return new DemoProcess("the program", program, ["argument"], env);
  }

  it("hands over matching lines in order and passes arguments and environment", async () => {
    const child = start(
      `console.log("noise"); console.log(process.argv[2], process.env.FRUIT); console.log("last 7");`,
      { FRUIT: "pear" },
    );
    assert.equal((await child.line(/^argument (.*)$/, deadlineMs))[1], "pear");
    assert.equal((await child.line(/last (\d)/, deadlineMs))[1], "7");
    await child.stop();
  });

  it("answers on stdin until it ends", async () => {
    const child = start(
      `process.stdin.setEncoding("utf8"); for await (const text of process.stdin) process.stdout.write(text.toUpperCase()); console.log("end");`,
    );
    child.tell("hello");
    await child.line(/^HELLO$/, deadlineMs);
    child.endInput();
    await child.line(/^end$/, deadlineMs);
    await child.stop();
  });

  it("rejects with code and name when the program ends first, and keeps its last lines", async () => {
    const child = start(`console.error("the reason"); process.exitCode = 3;`);
    await assert.rejects(child.line(/never/, deadlineMs), /the program ended with code 3 before/);
    assert.ok(child.tail().includes("the reason"));
    await child.stop();
    await child.stop();
  });

  it("hands over every line until the program ends well", async () => {
    const child = start(`console.log("one"); console.log("two");`);
    const lines: string[] = [];
    await child.finish((line) => lines.push(line), deadlineMs);
    assert.deepEqual(lines, ["one", "two"]);
  });

  it("reports a program that ends badly or not at all", async () => {
    const bad = start("process.exitCode = 4;");
    await assert.rejects(
      bad.finish(() => {}, deadlineMs),
      /the program ended with code 4/,
    );
    const endless = start("setInterval(() => {}, 1000);");
    await assert.rejects(
      endless.finish(() => {}, 50),
      /did not end within 50 ms/,
    );
    await endless.stop();
  });

  it("rejects when the deadline passes", async () => {
    const child = start("setInterval(() => {}, 1000);");
    await assert.rejects(child.line(/never/, 50), /did not print .* within 50 ms/);
    await child.stop();
  });

  it("stops with SIGTERM, which the program may use to tidy up", async () => {
    const child = start(
      `process.on("SIGTERM", () => { console.log("tidy"); process.exit(0); }); setInterval(() => {}, 1000); console.log("up");`,
    );
    await child.line(/up/, deadlineMs);
    await child.stop();
    await child.line(/tidy/, deadlineMs);
    await assert.rejects(child.line(/more/, deadlineMs), /ended with code 0/);
  });
});
