// The children of these tests run this file, too, with an argument.
import assert from "node:assert/strict";
import { closeSync, openSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { countDescriptors } from "./descriptors.ts";
import { freeze, spawnNode } from "./process.ts";
import { until } from "./until.ts";

const self = new URL(import.meta.url);
const briefMs = 100;

function register(): void {
  describe("spawnNode", () => {
    it("finds lines of both streams, each once and in order", async () => {
      const child = spawnNode(self, ["talk"], { env: { KOALA_TEST_WORD: "blue" } });
      assert.equal((await child.line(/first (\w+)/))[1], "blue");
      child.write("go on");
      assert.equal((await child.line(/heard (.*)/))[1], "go on");
      await assert.rejects(child.line(/first/), /no line matches[\s\S]*first blue/);
      assert.deepEqual(await child.exit(), { code: 3, signal: null });
    });

    it("says what was printed when a deadline passes", async () => {
      const child = spawnNode(self, ["wait"]);
      await child.line(/waiting/);
      await assert.rejects(child.line(/never/, briefMs), /100 ms[\s\S]*running[\s\S]*waiting/);
      await assert.rejects(child.exit(briefMs), /its end/);
      child.kill();
      assert.deepEqual(await child.exit(), { code: null, signal: "SIGKILL" });
    });

    it("stops a child that ignores SIGTERM", async () => {
      const child = spawnNode(self, ["stubborn"]);
      await child.line(/waiting/);
      assert.deepEqual(await child.stop(briefMs), { code: null, signal: "SIGKILL" });
      assert.deepEqual(await child.stop(), { code: null, signal: "SIGKILL" }, "twice is fine");
    });

    it("passes descriptors", async () => {
      const fd = openSync(self, "r");
      const child = spawnNode(self, ["read"], { fds: [fd] });
      await child.line(/read: \/\/ The children/);
      await child.exit();
      closeSync(fd);
    });

    it("freezes a child with all its threads until it may go on", async () => {
      const child = spawnNode(self, ["talk"], { env: { KOALA_TEST_WORD: "still" } });
      await child.line(/first still/);
      await freeze(child.pid);
      child.write("go on");
      await assert.rejects(child.line(/heard/, briefMs), /100 ms/);
      child.kill("SIGCONT");
      await child.line(/heard go on/);
      await child.exit();
    });

    it("rejects for a program that is not there", async () => {
      const child = spawnNode("/nonexistent/program.js");
      await assert.rejects(child.line(/never printed/), /Cannot find/);
      assert.equal((await child.exit()).code, 1);
    });
  });

  describe("countDescriptors", () => {
    it("counts what is open, here and in a child", async () => {
      const before = countDescriptors();
      const fd = openSync("/dev/null", "r");
      assert.equal(countDescriptors(), before + 1);
      assert.ok(countDescriptors(process.pid, /^\/dev\/null$/) >= 1);
      const child = spawnNode(self, ["wait"], { fds: [fd] });
      await child.line(/waiting/);
      assert.ok(countDescriptors(child.pid, /^\/dev\/null$/) >= 1);
      await child.stop();
      closeSync(fd);
      await until("all pipes are closed", () => countDescriptors() <= before);
    });
  });

  describe("until", () => {
    it("rejects at the deadline with what did not happen", async () => {
      await until("true is true", () => true);
      await assert.rejects(
        until("the moon is blue", () => false, 20),
        /20 ms: the moon is blue/,
      );
    });
  });
}

switch (process.argv[2]) {
  case "talk":
    console.log(`first ${process.env["KOALA_TEST_WORD"]}`);
    process.stdin.once("data", (data) => {
      console.error(`heard ${data.toString().trim()}`);
      process.exit(3);
    });
    break;
  case "stubborn":
    process.on("SIGTERM", () => {});
    setInterval(() => {}, 1000);
    console.log("waiting");
    break;
  case "wait":
    setInterval(() => {}, 1000);
    console.log("waiting");
    break;
  case "read":
    console.log(`read: ${readFileSync(3, "utf8").split("\n")[0]}`);
    break;
  default:
    register();
}
