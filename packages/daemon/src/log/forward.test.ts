import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { createForwardingLog, type ForwardedRecord, takeForwarded } from "./forward.ts";
import { createLog } from "./log.ts";
import type { LogRecord } from "./record.ts";

const directory = mkdtempSync(join(tmpdir(), "koala-forward-"));
after(() => rmSync(directory, { recursive: true }));

describe("createForwardingLog", () => {
  it("posts what its levels let through", () => {
    const posted: ForwardedRecord[] = [];
    const log = createForwardingLog((message) => posted.push(message), "info,link=debug");
    log.area("link").debug("yes", { peer: "b" });
    log.area("app").debug("no");
    log.setSpec("off");
    log.area("link").error("no");
    assert.deepEqual(
      posted.map(({ record }) => [record.area, record.level, record.message, record.fields]),
      [["link", "debug", "yes", { peer: "b" }]],
    );
  });

  it("is bounded, and the main thread gets to know what was lost", () => {
    const posted: ForwardedRecord[] = [];
    const written: LogRecord[] = [];
    const log = createForwardingLog((message) => posted.push(message), "info");
    for (let n = 0; n < 3000; n++) log.area("link").info("line");
    assert.equal(posted.length, 1024);
    for (const message of posted.splice(0))
      takeForwarded(message, (record) => written.push(record));
    assert.equal(written.length, 1025);
    assert.deepEqual(written[1]?.fields, { dropped: 3000 - 1024 });
    assert.equal(written[1]?.level, "warn");

    for (let n = 0; n < 1024; n++) log.area("link").info("line");
    assert.equal(posted.length, 1024, "what was received makes room again");
  });
});

describe("receiveForwarded", () => {
  it("writes the records of worker threads, with the time and area they had there", async () => {
    const file = join(directory, "worker.jsonl");
    const log = createLog({ spec: "off", file });
    const source = new URL("./forward.js", import.meta.url).href;
    const worker = new Worker(
      `import(${JSON.stringify(source)}).then(({ createForwardingLog }) => {
        const { parentPort } = require("node:worker_threads");
        const log = createForwardingLog((message) => parentPort.postMessage(message), "trace");
        for (let n = 0; n < 500; n++) log.area("runtime").info("turn", { n, big: 1n });
        parentPort.postMessage({ kind: "other" });
      });`,
      { eval: true },
    );
    let others = 0;
    worker.on("message", (message) => {
      if (!log.receiveForwarded(message)) others++;
    });
    await once(worker, "exit");
    await log.close();
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    const records = lines.map((line) => JSON.parse(line));
    assert.equal(others, 1);
    assert.deepEqual(
      records.map((record) => record.n),
      Array.from({ length: 500 }, (_, n) => n),
    );
    assert.equal(records[0].area, "runtime");
    assert.equal(records[0].big, "1");
  });

  it("leaves other messages alone", () => {
    const log = createLog({ spec: "off", file: join(directory, "others.log") });
    const record = { time: 0, level: "info", area: "nowhere", message: "", fields: {} };
    const counters = new Int32Array(new SharedArrayBuffer(8));
    for (const message of [
      null,
      1,
      "koala.log",
      {},
      { kind: "koala.log" },
      { kind: "koala.log", record, counters },
    ]) {
      assert.equal(log.receiveForwarded(message), false);
    }
    return log.close();
  });
});
