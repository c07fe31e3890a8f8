import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { DaemonEvent, EventGap, EventsAnswer } from "@koala/protocol";
import { AdminRegistry } from "../control/admin-registry.ts";
import { type AdminServer, startAdminServer } from "../control/admin-server.ts";
import { AreaLog, Level } from "../log/index.ts";
import { EventBus } from "./event-bus.ts";
import { addEventRoutes } from "./event-routes.ts";

interface Subject {
  bus: EventBus;
  path: string;
  server: AdminServer;
}

function start(test: TestContext): Subject {
  const folder = mkdtempSync(join(tmpdir(), "koala-"));
  const path = join(folder, "admin.sock");
  const bus = new EventBus({ kept: 100, queued: 50 });
  const registry = new AdminRegistry();
  addEventRoutes(registry, bus);
  const log = new AreaLog("admin", Level.off, () => {});
  const server = startAdminServer({ path, registry, log, connectionMs: 500 });
  test.after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { bus, path, server };
}

function open(path: string, target: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath: path, path: target, agent: false }, resolve);
    asked.on("error", reject);
    asked.end();
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response) text += String(chunk);
  return text;
}

/** The lines of a stream, one after the other. */
async function* linesOf(response: IncomingMessage): AsyncGenerator<DaemonEvent | EventGap> {
  let text = "";
  for await (const chunk of response) {
    const parts = (text + String(chunk)).split("\n");
    text = parts.pop()!;
    for (const part of parts) yield JSON.parse(part) as DaemonEvent | EventGap;
  }
}

async function ask(path: string, target: string): Promise<EventsAnswer> {
  return JSON.parse(await textOf(await open(path, target))) as EventsAnswer;
}

describe("GET /v1/events", { timeout: 30_000 }, () => {
  it("answers with what is kept, as it was asked for", async (test) => {
    const { bus, path } = start(test);
    for (let i = 0; i < 120; i++) bus.publish(i % 2 === 0 ? "app" : "link", `e${i}`);
    const all = await ask(path, "/v1/events");
    assert.deepEqual([all.events.length, all.dropped], [100, 20]);
    const some = await ask(path, "/v1/events?topic=link,service&since=100&last=2");
    assert.deepEqual(
      some.events.map(({ name }) => name),
      ["e117", "e119"],
    );
    assert.equal(some.dropped, 0);
  });

  it("names its sequence, and does not mind numbers of another one", async (test) => {
    const { bus, path } = start(test);
    bus.publish("app", "attached");
    bus.publish("app", "detached");
    assert.equal((await ask(path, "/v1/events")).bus, bus.id);
    assert.equal((await ask(path, `/v1/events?since=1&bus=${bus.id}`)).events.length, 1);
    assert.equal((await ask(path, "/v1/events?since=1")).events.length, 1);
    assert.equal((await ask(path, "/v1/events?since=1&bus=other")).events.length, 2);
    const response = await open(path, "/v1/events?follow=1");
    assert.equal(response.headers["koala-event-bus"], bus.id);
    response.destroy();
  });

  it("refuses what it can't understand", async (test) => {
    const { path } = start(test);
    const wrong = ["follow=yes", "topic=apps", "since=-1", "last=x", "tail=1"];
    for (const query of wrong) {
      const response = await open(path, `/v1/events?${query}`);
      assert.equal(response.statusCode, 400, query);
      assert.match(await textOf(response), /ERR_ADMIN_QUERY/);
    }
  });

  it("follows for longer than other connections live, and ends when the daemon stops", async (test) => {
    const { bus, path, server } = start(test);
    bus.publish("daemon", "ready");
    const response = await open(path, "/v1/events?follow=1");
    assert.equal(response.headers["content-type"], "application/x-ndjson");
    const lines = linesOf(response);
    assert.equal(((await lines.next()).value as DaemonEvent).name, "ready");
    // Longer than the limit for other connections, which is 500 ms here.
    const later = Date.now() + 700;
    const timer = setInterval(() => {
      if (Date.now() < later) return;
      clearInterval(timer);
      bus.publish("app", "attached", { app: 1 });
    }, 10);
    test.after(() => clearInterval(timer));
    assert.equal(((await lines.next()).value as DaemonEvent).name, "attached");
    bus.publish("daemon", "stopped");
    void server.close();
    assert.equal(((await lines.next()).value as DaemonEvent).name, "stopped");
    assert.equal((await lines.next()).done, true, "an orderly end");
    assert.equal(response.complete, true);
  });

  it("drops for a reader that does not read, and tells it how many", async (test) => {
    const { bus, path } = start(test);
    const response = await open(path, "/v1/events?follow=1");
    const fields = { text: "x".repeat(20_000) };
    for (let i = 0; i < 400; i++) {
      bus.publish("policy", "denied", fields);
      await new Promise(setImmediate);
    }
    bus.publish("daemon", "stopped");
    let seq = 0;
    let dropped = 0;
    for await (const line of linesOf(response)) {
      if ("dropped" in line) {
        dropped += line.dropped;
        seq += line.dropped;
        continue;
      }
      assert.equal(line.seq, ++seq, "what is missing has been counted");
      if (line.name === "stopped") break;
    }
    assert.equal(seq, 401);
    assert.ok(dropped > 0);
  });

  it("has a limit of followers, and forgets those who left", async (test) => {
    const { bus, path } = start(test);
    const open32 = Array.from({ length: 32 }, () => open(path, "/v1/events?follow=1"));
    const followers = await Promise.all(open32);
    const refused = await open(path, "/v1/events?follow=1");
    assert.equal(refused.statusCode, 503);
    assert.match(await textOf(refused), /ERR_ADMIN_BUSY/);
    for (const follower of followers) follower.destroy();
    const deadline = Date.now() + 20_000;
    for (;;) {
      const next = await open(path, "/v1/events?follow=1");
      if (next.statusCode === 200) {
        bus.publish("app", "attached");
        assert.equal(((await linesOf(next).next()).value as DaemonEvent).name, "attached");
        break;
      }
      await textOf(next);
      assert.ok(Date.now() < deadline, "still no room");
    }
  });
});
