/** Daemons, servers and clients that come, go and come back while the others are there. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Status } from "@koala/mrpc";
import { until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { createFolder, startApp, startCluster, startDaemon, untilKnown } from "../stage/cluster.ts";
import {
  type ClientAnswer,
  connectTo,
  type KitchenClient,
  startClient,
  startKitchen,
  startTopology,
  untilPrinted,
} from "../stage/kitchen.ts";
import { rejection } from "../stage/rejection.ts";

/** Daemons of a busy machine should not pause for seconds before they look for each other again. */
const config = '[link]\nreconnect_max = "500ms"';
const suite = { timeout: 240_000 };

/** Calls until one comes back, as a user would after an error that may pass. */
async function untilServed(client: KitchenClient): Promise<void> {
  await until("a call comes back", async () => {
    const { error } = await client.ask({ method: "who", options: { timeoutMs: 5000 } });
    if (error !== undefined) assert.equal(error.status, "UNAVAILABLE", error.message);
    return error === undefined;
  });
}

function assertServed({ reply, error }: ClientAnswer, pid: number): void {
  assert.equal(error, undefined);
  assert.equal(reply?.pid, pid);
}

describe("clients and their daemon", suite, () => {
  it("a client waits for its daemon, says so, and works when it comes", async (t) => {
    const prefix = createFolder(t);
    const client = await startClient(
      t,
      { prefix },
      { args: ["--wait", "60000"], whenConnected: false },
    );
    await client.child.line(new RegExp(`waiting for the daemon at ${prefix}`));
    const daemon = await startDaemon(t, { prefix });
    await client.child.line(/^connected$/);
    const server = await startKitchen(t, daemon);
    assertServed(await client.ask({ method: "who" }), server.pid);
  });

  it("a client does not wait longer than it was told to", async (t) => {
    const prefix = createFolder(t);
    const client = await startClient(
      t,
      { prefix },
      { args: ["--wait", "300"], whenConnected: false },
    );
    const [, json] = await client.child.line(/^failed (.*)$/);
    const error = JSON.parse(json!);
    assert.equal(error.code, "ERR_CONNECT_NO_DAEMON");
    assert.match(error.message, /within 300 ms.*koalad --prefix/);
    assert.deepEqual(await client.child.exit(), { code: 1, signal: null });
  });

  it("nothing keeps a client's process alive after mesh.close()", async (t) => {
    const daemon = await startDaemon(t);
    await startKitchen(t, daemon);
    for (const threads of [0, 2]) {
      const client = await startClient(t, daemon, { threads });
      await client.ask({ method: "echo", request: { text: "last" } });
      client.child.write('{"close":true}');
      await client.child.line(/^closed$/);
      assert.deepEqual(await client.child.exit(), { code: 0, signal: null });
    }
    await until("the daemon has let go of the clients", async () => {
      return (await daemon.status()).counters.apps === 1;
    });
  });

  for (const hosts of [2, 1]) {
    it(`client and server find a daemon that was killed again, ${hosts} hosts`, async (t) => {
      const { client: near, server: far } = await startTopology(t, hosts, config);
      const server = await startKitchen(t, far);
      const client = await startClient(t, near, { args: ["--wait", "60000"] });
      assertServed(await client.ask({ method: "who" }), server.pid);
      for (const daemon of new Set([near, far])) {
        await daemon.kill();
        const peers = daemon === near && hosts === 2 ? [far] : [];
        const { name, prefix, address } = daemon;
        await startDaemon(t, { name, prefix, listen: address, peers, config });
        await untilServed(client);
        assertServed(await client.ask({ method: "who" }), server.pid);
      }
    });
  }

  it("a call in flight ends with UNAVAILABLE when the daemon is killed", async (t) => {
    const daemon = await startDaemon(t);
    const server = await startKitchen(t, daemon);
    const mesh = await connectTo(t, daemon, { log: () => {} });
    const call = rejection(mesh.client(Kitchen, "kitchen").wait({ key: "cut" }));
    await untilPrinted(server, /^began cut$/m);
    await daemon.kill();
    assert.equal((await call).status, Status.UNAVAILABLE);
    await untilPrinted(server, /^aborted cut 14 UNAVAILABLE/m);
  });

  it("a daemon that stops lets running calls end, and takes no new ones", async (t) => {
    const { a, b } = await startCluster(t);
    const server = await startKitchen(t, b);
    await untilKnown(a, "kitchen");
    const kitchen = (await connectTo(t, a, { log: () => {}, waitMs: 200 })).client(
      Kitchen,
      "kitchen",
    );
    const running = kitchen.wait({ key: "running" });
    await untilPrinted(server, /^began running$/m);
    b.child.kill("SIGTERM");
    await until("no call is taken", async () => {
      const result = await kitchen.echo({}, { timeoutMs: 2000 }).catch((error) => error);
      return result instanceof Error;
    });
    server.write("release running");
    assert.equal((await running).text, "waited running");
    assert.deepEqual(await b.child.exit(), { code: 0, signal: null });
    assert.doesNotMatch(b.log(), /cut off/);
    assert.equal(existsSync(join(b.prefix, "control.sock")), false);
  });

  it("a daemon that stops cuts calls off that take too long", async (t) => {
    const daemon = await startDaemon(t, { daemonKeys: 'drain = "200ms"' });
    const server = await startKitchen(t, daemon);
    const mesh = await connectTo(t, daemon, { log: () => {} });
    const call = rejection(mesh.client(Kitchen, "kitchen").wait({ key: "long" }));
    await untilPrinted(server, /^began long$/m);
    assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
    assert.equal((await call).status, Status.UNAVAILABLE);
    assert.match(daemon.log(), /calls were cut off/);
  });
});

describe("servers", suite, () => {
  for (const hosts of [2, 1]) {
    it(`a server's process is replaced, ${hosts} hosts`, async (t) => {
      const { client: near, server: far } = await startTopology(t, hosts);
      const first = await startKitchen(t, far);
      const client = await startClient(t, near);
      assertServed(await client.ask({ method: "who" }), first.pid);
      first.write("close");
      await first.line(/^closed cut=0$/);
      assert.deepEqual(await first.exit(), { code: 0, signal: null });
      const { error } = await client.ask({ method: "who" });
      assert.equal(error?.status, "UNAVAILABLE");
      const second = await startKitchen(t, far);
      await untilServed(client);
      assertServed(await client.ask({ method: "who" }), second.pid);
    });

    it(`calls are shared out among three processes, ${hosts} hosts`, async (t) => {
      const { client: near, server: far } = await startTopology(t, hosts);
      const servers = await Promise.all([1, 2, 3].map(() => startKitchen(t, far)));
      const client = await startClient(t, near);
      const { pids, errors } = await client.ask({ load: 300 });
      assert.deepEqual(errors, []);
      assert.deepEqual(pids, Object.fromEntries(servers.map(({ pid }) => [`${pid}/0`, 100])));
      // One goes, and the other two share what comes.
      servers[0]!.write("close");
      await servers[0]!.exit();
      const later = await client.ask({ load: 300 });
      assert.deepEqual(later.errors, []);
      const left = servers.slice(1).map(({ pid }) => [`${pid}/0`, 150]);
      assert.deepEqual(later.pids, Object.fromEntries(left));
    });
  }

  it("calls are shared out over two hosts that serve one name", async (t) => {
    const b = await startDaemon(t, { name: "b" });
    const c = await startDaemon(t, { name: "c" });
    const a = await startDaemon(t, { name: "a", peers: [b, c] });
    const servers = [await startKitchen(t, b), await startKitchen(t, c)];
    await until("both are offered", async () => {
      const { runtimes } = await a.status();
      const links = runtimes.flatMap((runtime) => runtime.links);
      return links.filter((link) => link.services.length > 0).length === 2;
    });
    const client = await startClient(t, a);
    await client.ask({ load: 10 });
    const { pids, errors } = await client.ask({ load: 200 });
    assert.deepEqual(errors, []);
    assert.deepEqual(pids, Object.fromEntries(servers.map(({ pid }) => [`${pid}/0`, 100])));
  });

  for (const hosts of [2, 1]) {
    it(`threads are clients and servers of their own, ${hosts} hosts`, async (t) => {
      const { client: near, server: far } = await startTopology(t, hosts);
      const server = await startKitchen(t, far, { threads: 3 });
      const client = await startClient(t, near, { threads: 3 });
      const answers = await client.askThreads({ load: 120 }, 3);
      const counts: Record<string, number> = {};
      for (const { pids, errors } of answers) {
        assert.deepEqual(errors, []);
        for (const [key, count] of Object.entries(pids!)) counts[key] = (counts[key] ?? 0) + count;
      }
      assert.deepEqual(
        counts,
        Object.fromEntries([1, 2, 3].map((thread) => [`${server.pid}/${thread}`, 120])),
      );
      client.child.write('{"close":true}');
      assert.deepEqual(await client.child.exit(), { code: 0, signal: null });
      server.write("close");
      assert.deepEqual(await server.exit(), { code: 0, signal: null });
    });
  }

  it("a server that closes lets its handlers end, up to its grace time", async (t) => {
    const { a, b } = await startCluster(t);
    const mesh = await connectTo(t, a);
    const kitchen = mesh.client(Kitchen, "kitchen");
    const patient = await startKitchen(t, b, { args: ["--grace", "30000"] });
    const running = kitchen.wait({ key: "patient", ms: 500 }, { waitForReady: true });
    await untilPrinted(patient, /^began patient$/m);
    patient.write("close");
    assert.equal((await running).text, "waited patient");
    await patient.line(/^closed cut=0$/);
    assert.deepEqual(await patient.exit(), { code: 0, signal: null });

    const hasty = await startKitchen(t, b, { args: ["--grace", "100"] });
    const cut = rejection(kitchen.wait({ key: "hasty", heed: true }, { waitForReady: true }));
    await untilPrinted(hasty, /^began hasty$/m);
    hasty.write("close");
    const error = await cut;
    assert.equal(error.status, Status.UNAVAILABLE);
    assert.equal(error.origin, "remote-app");
    await hasty.line(/^closed cut=1$/);
    assert.deepEqual(await hasty.exit(), { code: 0, signal: null });
  });

  it("a program that is neither closed nor called is stopped by its signal", async (t) => {
    const daemon = await startDaemon(t);
    const child = startApp(t, daemon, "kitchen-server", ["kitchen"]);
    await child.line(/^serving$/);
    assert.deepEqual(await child.stop(), { code: 0, signal: null });
  });
});
