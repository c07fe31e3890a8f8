import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Origin, Status } from "@koala/interface";
import { createTempDirectory, until } from "@koala/testing";
import {
  createPolicyHarness,
  type HarnessOptions,
  type PolicyHarness,
  Shop,
  testPolicy,
} from "@koala/testing-policy";
import type { LogBatch } from "./control.ts";
import log from "./index.ts";

type Line = Record<string, unknown>;

function harnessFor(config: object, more: Partial<HarnessOptions> = {}): PolicyHarness {
  return createPolicyHarness({ policy: log, config, service: Shop, ...more });
}

/** For expressions about fields that only this method's messages have. */
const match = { match: { method: ["Find"] } };

/** What the instance has sent so far. */
function text(harness: PolicyHarness): string {
  harness.advance(1000);
  return (harness.notices as LogBatch[]).map((batch) => batch.text).join("");
}

function lines(harness: PolicyHarness): Line[] {
  return text(harness)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}

testPolicy({
  policy: log,
  validConfigs: [
    { name: "all calls", config: {} },
    {
      name: "as text, with all there is",
      config: {
        format: "text",
        sample: 0.3,
        metadata: ["x-one", "x-bin"],
        fields: { who: "caller.app + target", words: "size(metadata)" },
      },
    },
    { name: "few, and no errors", config: { sample: 0.1, errors: false, batch: 2 } },
  ],
  invalidConfigs: [
    { name: "a relative path", config: { file: "access.log" }, path: "file", message: /absolute/ },
    { name: "no such directory", config: { file: "/no/such/place/access.log" }, path: "file" },
    { name: "a share", config: { sample: 2 }, path: "sample" },
    { name: "a format", config: { format: "xml" }, path: "format" },
    { name: "a name", config: { fields: { "A b": "target" } }, path: "fields.A b" },
    {
      name: "a name that is taken",
      config: { fields: { status: "target" } },
      path: "fields.status",
    },
    { name: "a mistake", config: { fields: { a: "target +" } }, path: "fields.a" },
    {
      name: "a field that there is not",
      config: { fields: { a: "request.nope" } },
      path: "fields.a",
    },
    { name: "a message", config: { fields: { a: "request" } }, path: "fields.a" },
    {
      name: "request and reply",
      config: { fields: { a: "size(response.items) + int(request.limit)" } },
      path: "fields.a",
      message: /not both/,
    },
  ],
});

describe("log", () => {
  it("writes a line for each call, in JSON", () => {
    const harness = harnessFor({});
    const request = { query: "tea" };
    const call = harness.call("Find", request, {
      caller: { app: "web", host: "alpha" },
      reply: { items: [{ title: "x" }] },
      afterMs: 12,
    });
    harness.advance(12);
    const [line] = lines(harness);
    const { time, request_bytes: sent, response_bytes: received, ...rest } = line!;
    assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.ok(Number(sent) > 0 && Number(received) > 0);
    assert.deepEqual(rest, {
      id: call.requestId,
      service: "shop.v1.Shop",
      method: "Find",
      caller: "web",
      host: "alpha",
      target: "shop.v1.Shop",
      endpoint: "server",
      side: "client",
      status: "OK",
      origin: "remote-app",
      duration_ms: 12,
    });
  });

  it("says how a call ended that did not end well", () => {
    const harness = harnessFor({});
    const failed = {
      status: Status.NOT_FOUND,
      statusMessage: 'no "tea"',
      origin: Origin.REMOTE_APP,
    };
    harness.call("Find", {}, failed);
    harness.start("Buy", {}, { timeoutMs: 5 });
    harness.advance(5);
    const [first, second] = lines(harness);
    assert.equal(first!["status"], "NOT_FOUND");
    assert.equal(first!["message"], 'no "tea"');
    assert.equal(second!["status"], "DEADLINE_EXCEEDED");
    assert.equal(second!["origin"], "local-daemon");
    assert.equal(second!["duration_ms"], 5);
  });

  it("logs nothing of a message but what is asked for, from the request or from the reply", () => {
    const fields = {
      customer: "request.customer.id",
      found: "size(response.items)",
      tenant: 'metadata["tenant"]',
      cheap: "request.limit < 10u",
    };
    const harness = harnessFor({ fields, metadata: ["Tenant", "x-bin", "absent"] }, match);
    const request = { query: "secret", limit: 5, customer: { id: "c\n1" } };
    const metadata = { tenant: "t", "x-bin": new Uint8Array([1, 2]), other: "secret" };
    harness.call("Find", request, { metadata, reply: { items: [{}, {}] } });
    harness.call("Find", request, { status: Status.INTERNAL });
    const [first, second] = lines(harness);
    assert.equal(first!["customer"], "c\n1");
    assert.equal(String(first!["found"]), "2");
    assert.equal(first!["tenant"], "t");
    assert.equal(first!["cheap"], true);
    assert.deepEqual(first!["metadata"], { tenant: "t", "x-bin": "AQI=" });
    assert.ok(!("found" in second!), "there was no reply");
    assert.ok(!("tenant" in second!), "nor metadata");
    assert.doesNotMatch(text(harness), /secret/);
  });

  it("writes text of which each call has one line, whatever strangers send", () => {
    const harness = harnessFor(
      { format: "text", metadata: ["x"], fields: { q: "request.query" } },
      match,
    );
    const nasty = 'a\nb="c" \u001b[31m';
    harness.call(
      "Find",
      { query: nasty },
      {
        caller: { app: nasty },
        target: nasty,
        metadata: { x: nasty },
        status: Status.UNKNOWN,
        statusMessage: nasty,
      },
    );
    harness.call("Find", { query: "tea" }, { caller: { app: "web" }, target: "shop" });
    const [first, second, ...rest] = text(harness).split("\n");
    assert.deepEqual(rest, [""]);
    assert.doesNotMatch(first!, /\p{Cc}/u);
    assert.match(first!, / UNKNOWN shop\.v1\.Shop\/Find /);
    assert.match(
      second!,
      /^\S+Z OK shop\.v1\.Shop\/Find 0\.000ms caller=web target=shop id=\S+ side=client endpoint=server origin=remote-app bytes=\d+\/\d+ q="tea"$/,
    );
  });

  it("samples, but not errors", () => {
    const harness = harnessFor({ sample: 0.1 });
    for (let i = 0; i < 2000; i++) harness.call("Find");
    for (let i = 0; i < 50; i++) harness.call("Find", {}, { status: Status.ABORTED });
    const logged = lines(harness);
    const errors = logged.filter(({ status }) => status === "ABORTED");
    assert.equal(errors.length, 50);
    const well = logged.length - 50;
    assert.ok(well > 130 && well < 270, `${well} of 2000`);
    assert.equal(harness.counters["logged"], logged.length);
    assert.equal(harness.counters["not_sampled"], 2000 - well);
  });

  it("sends lines in batches, the last one after a while", () => {
    const harness = harnessFor({ batch: 10, flush: "50ms" });
    for (let i = 0; i < 25; i++) harness.call("Find");
    assert.deepEqual(
      (harness.notices as LogBatch[]).map((batch) => batch.lines),
      [10, 10],
    );
    harness.advance(49);
    assert.equal(harness.notices.length, 2);
    harness.advance(1);
    assert.equal((harness.notices as LogBatch[])[2]!.lines, 5);
    assert.equal(harness.clock.pending, 0);
  });

  it("drops and counts when the other side does not keep up", () => {
    const harness = harnessFor({ batch: 10 });
    harness.takesNotices = false;
    for (let i = 0; i < 30; i++) assert.equal(harness.call("Find").outcome, "passed");
    assert.equal(harness.counters["dropped"], 30);
  });

  it("writes to its file, and to a new one after a rotation", async (test) => {
    const file = join(createTempDirectory(test), "access.log");
    const listeners = process.listenerCount("SIGHUP");
    const harness = harnessFor({ file });
    await harness.startControl();
    harness.call("Find");
    harness.advance(100);
    await until("a line", () => existsSync(file) && readFileSync(file, "utf8").endsWith("\n"));
    renameSync(file, `${file}.1`);
    process.emit("SIGHUP");
    harness.call("Buy");
    harness.advance(100);
    await until("a new file", () => existsSync(file) && readFileSync(file, "utf8").endsWith("\n"));
    assert.match(readFileSync(`${file}.1`, "utf8"), /^[^\n]*"Find"[^\n]*\n$/);
    assert.match(readFileSync(file, "utf8"), /^[^\n]*"Buy"[^\n]*\n$/);
    harness.call("Find");
    await harness.stop();
    assert.match(
      readFileSync(file, "utf8"),
      /"Buy".*\n.*"Find".*\n$/,
      "nothing is lost at the end",
    );
    assert.equal(process.listenerCount("SIGHUP"), listeners);
  });

  it("goes on when it can't write, says so once, and counts what is lost", async (test) => {
    const folder = createTempDirectory(test);
    const blocked = harnessFor({ file: folder });
    await blocked.startControl();
    for (let i = 0; i < 3; i++) {
      blocked.call("Find");
      blocked.advance(100);
      await until("a lost line", () => new Int32Array(blocked.shared)[0] === i + 1);
    }
    assert.equal(blocked.warnings.length, 1);
    assert.match(blocked.warnings[0]!.what, /can't write the access log to .*EISDIR/);
    blocked.call("Find");
    blocked.advance(100);
    assert.equal(blocked.counters["lost"], 3);
    await blocked.stop();
  });
});
