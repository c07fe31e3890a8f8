/** What daemons say about themselves while apps and peers come and go. */
import assert from "node:assert/strict";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { closeFd, SOCKET_SEQPACKET, sendMessage, unixConnect } from "@koala/native";
import type { DaemonEvent } from "@koala/protocol";
import { spawnNode, until } from "@koala/testing";
import { AdminError, askAdmin, postAdmin } from "../stage/admin.ts";
import { atEnd, startCluster, startDaemon } from "../stage/cluster.ts";
import { followEvents } from "../stage/event-reader.ts";
import { connectTo, startKitchen } from "../stage/kitchen.ts";

const ctlProgram = fileURLToPath(new URL("../../../packages/ctl/dist/main.js", import.meta.url));
const suite = { timeout: 120_000 };

describe("events of a daemon", suite, () => {
  it("tell of apps and services that come, leave and are killed", async (t) => {
    const daemon = await startDaemon(t);
    const reader = await followEvents(t, daemon);
    const ready = await reader.next("daemon/ready");
    assert.equal(ready.fields["pid"], daemon.pid);
    const server = await startKitchen(t, daemon);
    const attached = await reader.next("app/attached");
    assert.equal(attached.fields["pid"], server.pid);
    const { app } = attached.fields;
    const served = await reader.next("service/served");
    assert.deepEqual(
      [served.fields["app"], served.fields["name"], served.fields["service"]],
      [app, "kitchen", "test.v1.Kitchen"],
    );
    server.kill();
    const unserved = await reader.next("service/unserved");
    assert.equal(unserved.fields["app"], app);
    const detached = await reader.next("app/detached");
    assert.deepEqual(
      [detached.fields["app"], detached.fields["reason"]],
      [app, "its process ended or closed"],
    );
    // Those who come later get the same, with the same numbers.
    const later = await askAdmin(daemon.prefix, "/v1/events", `?since=${ready.seq}`);
    assert.deepEqual(later.events.slice(0, 4), reader.events.slice(1, 5));
    assert.ok(later.events.every(({ seq }, i) => seq === ready.seq + 1 + i));
  });

  it("tell of links on both sides, and of peers that are away", async (t) => {
    const { a, b } = await startCluster(t, { config: '[link]\nreconnect_max = "200ms"' });
    const near = await followEvents(t, a, "topic=link");
    const far = await followEvents(t, b, "topic=link");
    const up = await near.next("link/up");
    assert.deepEqual([up.fields["peer"], up.fields["direction"]], ["b", "outgoing"]);
    const upThere = await far.next("link/up");
    assert.deepEqual([upThere.fields["peer"], upThere.fields["direction"]], ["a", "incoming"]);
    await b.kill();
    const down = await near.next("link/down");
    assert.equal(down.fields["peer"], "b");
    assert.notEqual(down.fields["reason"], "");
    assert.ok(String((await near.next("link/unreachable")).fields["address"]).includes(b.address));
    assert.equal(far.end(), "cut");
    await startDaemon(t, { name: "b", prefix: b.prefix, listen: b.address });
    await near.next("link/up", down.seq);
  });

  it("tell of the daemon's own end, and then end in order", async (t) => {
    const daemon = await startDaemon(t);
    const reader = await followEvents(t, daemon, "topic=daemon");
    const idle = await followEvents(t, daemon);
    idle.pause();
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    await until("the stream ends", () => reader.end() === "ended");
    assert.deepEqual(
      reader.events.map(({ name }) => name),
      ["ready", "draining", "stopped"],
    );
  });

  it("tell of those who may not attach, and can't be flooded by them", async (t) => {
    const daemon = await startDaemon(t);
    const reader = await followEvents(t, daemon, "topic=app");
    const path = join(daemon.prefix, "koala.sock");
    for (let i = 0; i < 300; i++) {
      const fd = unixConnect(path, SOCKET_SEQPACKET);
      sendMessage(fd, Buffer.from("no hello"), null);
      closeFd(fd);
    }
    const refused = await reader.next("app/refused");
    assert.equal(refused.fields["code"], "ERR_APP_PROTOCOL");
    assert.equal(refused.fields["pid"], process.pid);
    const dropped = await reader.next("app/dropped");
    const count = reader.events.filter(({ name }) => name === "refused").length;
    assert.ok(count < 300, `${count} events`);
    assert.ok(Number(dropped.fields["count"]) > 0);
    await connectTo(t, daemon);
    await until("the app is served", async () => (await daemon.status()).counters.apps === 1);
  });

  it("are printed by koalactl as they happen", async (t) => {
    const daemon = await startDaemon(t);
    const args = ["--prefix", daemon.prefix, "events", "--follow", "--topic", "app,daemon"];
    const follower = spawnNode(ctlProgram, args, { env: { NO_COLOR: "" } });
    atEnd(t, () => follower.stop());
    await follower.line(/ daemon ready +version=/);
    const server = await startKitchen(t, daemon);
    await follower.line(new RegExp(` app attached +app=\\d+ name=\\S+ pid=${server.pid} `));
    await daemon.stop();
    await follower.line(/ daemon stopped/);
    await follower.line(/^the daemon has ended$/);
    assert.deepEqual(await follower.exit(), { code: 0, signal: null });
  });
});

describe("events over the life of a daemon's process", suite, () => {
  it("go on over an upgrade, each told once", async (t) => {
    const daemon = await startDaemon(t);
    await startKitchen(t, daemon);
    const args = ["--prefix", daemon.prefix, "events", "--follow", "-o", "json"];
    const follower = spawnNode(ctlProgram, args);
    atEnd(t, () => follower.stop());
    await follower.line(/"topic":"service","name":"served"/);
    const before = await askAdmin(daemon.prefix, "/v1/events");
    for (let i = 0; i < 2; i++) {
      const { to } = await daemon.upgrade();
      await follower.line(new RegExp(`"name":"ready","fields":{.*"pid":${to.pid}[,}]`));
    }
    const mesh = await connectTo(t, daemon, { name: "late" });
    await follower.line(/"name":"attached","fields":{"app":\d+,"name":"late"/);
    const after = await askAdmin(daemon.prefix, "/v1/events");
    assert.equal(after.bus, before.bus);
    assert.deepEqual(after.events.slice(0, before.events.length), before.events);
    await mesh.close();
    await follower.line(/"name":"detached","fields":{"app":\d+,"name":"late"/);
    const seqs = follower
      .output()
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => (JSON.parse(line) as DaemonEvent).seq);
    assert.deepEqual(
      seqs,
      seqs.map((_, i) => i + 1),
    );
  });

  it("begin anew after the daemon was killed, and the reader hears of that", async (t) => {
    const daemon = await startDaemon(t);
    const follower = spawnNode(ctlProgram, ["--prefix", daemon.prefix, "events", "--follow"]);
    atEnd(t, () => follower.stop());
    await follower.line(/ daemon ready +version=/);
    await daemon.kill();
    const again = await startDaemon(t, { prefix: daemon.prefix });
    await follower.line(/^the daemon has been started again$/);
    await follower.line(new RegExp(` daemon ready +.*pid=${again.pid}`));
    assert.deepEqual(await again.stop(), { code: 0, signal: null });
    await follower.line(/^the daemon has ended$/);
  });
});

describe("the admin socket of a daemon", suite, () => {
  it("refuses changes that make no sense, with a reason, and goes on", async (t) => {
    const daemon = await startDaemon(t);
    const refusals: [() => Promise<unknown>, number, string][] = [
      [() => postAdmin(daemon.prefix, "/v1/none" as never, {} as never), 404, "ERR_ADMIN_PATH"],
      [() => postAdmin(daemon.prefix, "/v1/apps" as never, {} as never), 405, "ERR_ADMIN_METHOD"],
      [() => askAdmin(daemon.prefix, "/v1/events", "?topic=x"), 400, "ERR_ADMIN_QUERY"],
    ];
    for (const [ask, status, code] of refusals) {
      await assert.rejects(ask, (error) => {
        assert.ok(error instanceof AdminError);
        assert.deepEqual([error.status, error.code], [status, code]);
        return true;
      });
    }
    // A request that never ends holds nobody up.
    const socket = connect(join(daemon.prefix, "admin.sock"));
    atEnd(t, () => socket.destroy());
    socket.on("error", () => {});
    socket.write("POST /v1/apps HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{");
    assert.equal((await daemon.status()).state, "running");
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  });
});
