import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { KoalaError } from "@koala/interface";
import { createLog, logOptionsFrom } from "./log.ts";

const directory = mkdtempSync(join(tmpdir(), "koala-log-"));
after(() => rmSync(directory, { recursive: true }));

const pathOf = (name: string): string => join(directory, name);
const linesOf = (path: string): string[] => readFileSync(path, "utf8").split("\n").slice(0, -1);

function failsWith(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof KoalaError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

/** Runs a module text with `createLog` in scope; standard error is a socket, or the descriptor given. */
function startProgram(body: string, stderr: "pipe" | number = "pipe"): ChildProcess {
  const module = new URL("./log.js", import.meta.url).href;
  const program = `import { createLog } from ${JSON.stringify(module)};\n${body}`;
  return spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "pipe", stderr],
  });
}

describe("createLog", () => {
  it("writes what its levels let through", async () => {
    const file = pathOf("levels.log");
    const log = createLog({ spec: "warn,link=debug,app=off", file });
    for (const area of ["daemon", "link", "app"] as const) {
      for (const level of ["trace", "debug", "info", "warn", "error"] as const) {
        const before = log.area(area).enabled(level);
        log.area(area)[level](`${before}`, { n: 1 });
      }
    }
    log.setSpec("off,app=trace");
    assert.equal(log.spec, "off,app=trace");
    log.area("daemon").error("no");
    log.area("app").trace("true");
    await log.close();
    const words = linesOf(file).map((line) => line.split(/\s+/).slice(1, 4).join(" "));
    assert.deepEqual(words, [
      "WARN daemon true",
      "ERROR daemon true",
      "DEBUG link true",
      "INFO link true",
      "WARN link true",
      "ERROR link true",
      "TRACE app true",
    ]);
    assert.equal(log.area("link"), log.area("link"));
  });

  it("chooses JSON by the option or by the file's name", async () => {
    for (const [name, format, json] of [
      ["a.jsonl", undefined, true],
      ["b.log", "json", true],
      ["c.jsonl", "text", false],
    ] as const) {
      const log = createLog({ spec: "", file: pathOf(name), format });
      log.area("link").info("link up", { peer: "b" });
      await log.close();
      const [line = ""] = linesOf(pathOf(name));
      assert.equal(line.startsWith("{"), json);
      if (json) assert.equal(JSON.parse(line).peer, "b");
    }
  });

  it("refuses a wrong specification, format or file", () => {
    assert.throws(
      () => createLog({ spec: "infoo" }),
      failsWith("ERR_LOG_SPEC", /^KOALA_LOG must be .* Did you mean "info"\?$/),
    );
    assert.throws(
      () => createLog({ spec: "", format: "jsn" }),
      failsWith("ERR_LOG_FORMAT", /"jsn"\. Did you mean "json"\?$/),
    );
    assert.throws(
      () => createLog({ spec: "", file: pathOf("none/x.log") }),
      failsWith("ERR_LOG_FILE", /none\/x\.log.*ENOENT/),
    );
  });

  it("reopens a file that was moved away", async () => {
    const [file, moved] = [pathOf("live.log"), pathOf("live.log.1")];
    const log = createLog({ spec: "", file });
    log.area("daemon").info("before");
    await log.flush();
    renameSync(file, moved);
    log.area("daemon").info("still before");
    await log.flush();
    log.reopen();
    log.area("daemon").info("behind");
    await log.close();
    assert.equal(linesOf(moved).length, 2);
    assert.match(readFileSync(file, "utf8"), /behind\n$/);
    assert.equal(linesOf(file).length, 1);
  });

  it("stays with the old file when the new one can't be opened", async () => {
    const file = pathOf("stay.log");
    const log = createLog({ spec: "off", file });
    renameSync(file, pathOf("stay.log.1"));
    mkdirSync(file);
    log.reopen();
    await log.close();
    assert.match(
      readFileSync(pathOf("stay.log.1"), "utf8"),
      /WARN .* can't be opened again.*EISDIR/,
    );
  });

  it("leaves no descriptor and no listener behind", async () => {
    const count = (): number => readdirSync("/proc/self/fd").length;
    const listeners = process.listenerCount("exit");
    const before = count();
    for (let round = 0; round < 5; round++) {
      const log = createLog({ spec: "", file: pathOf("leak.log") });
      log.area("daemon").info("x");
      log.reopen();
      log.area("daemon").info("y");
      await log.close();
      await log.close();
    }
    assert.equal(process.listenerCount("exit"), listeners);
    // The closing calls themselves are under way in the thread pool.
    const deadline = Date.now() + 5000;
    while (count() > before && Date.now() < deadline) await new Promise(setImmediate);
    // One of an earlier test may have been closing when they were counted first.
    assert.ok(count() <= before, `${count()} descriptors, ${before} before`);
  });

  it("writes what waits when the process exits", async () => {
    const child = startProgram(`
      const log = createLog({ spec: "info" });
      for (let n = 0; n < 100; n++) log.area("daemon").info("line", { n });
      process.exit(3);`);
    let text = "";
    child.stderr?.on("data", (data) => (text += data));
    const [code] = await once(child, "close");
    assert.equal(code, 3);
    assert.equal(text.match(/ n=\d+\n/g)?.length, 100);
  });

  for (const kind of ["socket", "pipe"] as const) {
    it(`never waits for a ${kind} that nobody reads`, { timeout: 30_000 }, async () => {
      const pipe = pathOf(`stuck-${kind}`);
      execFileSync("mkfifo", [pipe]);
      // Opened for both, so that there is a reader, which never reads.
      const fd = openSync(pipe, constants.O_RDWR);
      // More than a pipe and the queue hold.
      const child = startProgram(
        `const log = createLog({ spec: "info" });
        for (let n = 0; n < 5000; n++) {
          log.area("daemon").info("x".repeat(1000));
          if (n % 500 === 0) await new Promise(setImmediate);
        }
        console.log(log.dropped > 1000 ? "dropped" : "kept " + log.dropped);
        await log.close(50);`,
        kind === "pipe" ? fd : "pipe",
      );
      let output = "";
      child.stdout?.on("data", (data) => {
        output += data;
      });
      const [code] = await once(child, "exit");
      child.stderr?.destroy();
      if (child.stdout?.readableEnded === false) await once(child.stdout, "end");
      closeSync(fd);
      assert.equal(code, 0);
      assert.equal(output, "dropped\n");
    });
  }
});

describe("logOptionsFrom", () => {
  it("lets the environment win", () => {
    const config = { level: "warn", file: "/f" };
    assert.deepEqual(logOptionsFrom({}, config), { spec: "warn", file: "/f", format: undefined });
    const env = { KOALA_LOG: "debug", KOALA_LOG_FILE: "", KOALA_LOG_FORMAT: "json" };
    assert.deepEqual(logOptionsFrom(env, config), { spec: "debug", file: "", format: "json" });
  });
});
