import assert from "node:assert/strict";
import { test } from "node:test";
import { countDescriptors, until } from "@koala/testing";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import { connect } from "./connect.ts";
import { FakeDaemon } from "./fake-daemon-helper.test.ts";
import { failure, logged, Status, startDaemon, startEcho, startMesh } from "./mesh-helper.test.ts";

test("without a daemon: says what was tried and what to do", async (t) => {
  const daemon = new FakeDaemon();
  t.after(() => daemon.end());
  await assert.rejects(connect({ prefix: daemon.prefix, waitMs: 50 }), {
    code: "ERR_CONNECT_NO_DAEMON",
    message:
      /no daemon at .*koala\.sock within 50 ms \(last try: .*ENOENT.*koalad --prefix .*KOALA_PREFIX/,
  });
});

test("waits for a daemon that comes later, and says so once after two seconds", async (t) => {
  const daemon = new FakeDaemon();
  t.after(() => daemon.end());
  logged.length = 0;
  const mesh = startMesh(t, daemon, { waitMs: 20_000 });
  await until("it says that it waits", () => logged.length > 0);
  assert.match(logged[0]!, /warn: waiting for the daemon at .*koala\.sock/);
  daemon.start();
  await mesh;
  assert.equal(logged.length, 1);
});

test("a daemon that refuses for good is not asked again", async (t) => {
  const daemon = startDaemon(t);
  daemon.onHello = () => ({
    op: "closed",
    code: "ERR_APP_LIMIT",
    message: "full",
    reconnect: false,
  });
  await assert.rejects(startMesh(t, daemon), { code: "ERR_APP_LIMIT", message: /full/ });
  assert.equal(daemon.hellos, 1);
});

test("the daemon dies: pending calls end, later ones wait for the next daemon", async (t) => {
  const { client, daemon, seen } = await startEcho(t);
  const hanging = failure(client.say({ text: "hang" }));
  await until("the handler runs", () => seen.calls === 1);
  daemon.stop();
  const error = await hanging;
  assert.equal(error.status, Status.UNAVAILABLE);
  assert.equal(error.origin, "local-daemon");
  assert.ok(error.retryable);
  await until("the handler is aborted", () => seen.aborted !== undefined);

  const waiting = client.say({ text: "later" });
  const impatient = await failure(client.say({}, { timeoutMs: 20 }));
  assert.equal(impatient.status, Status.DEADLINE_EXCEEDED);
  assert.match(impatient.reason, /20 ms passed while the call waited for the daemon at/);
  const controller = new AbortController();
  const aborted = failure(client.say({}, { signal: controller.signal }));
  controller.abort();
  assert.equal((await aborted).status, Status.CANCELLED);

  daemon.start();
  // The server may come back later than the client: its first calls find nobody.
  await waiting.catch(() => {});
  await until("the server is back", async () => {
    const reply = await client.say({ text: "again" }).catch(() => null);
    return reply?.text === "say again";
  });
  assert.deepEqual(daemon.violations, []);
});

test("calls wait for waitMs while the daemon is away", async (t) => {
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon, { waitMs: 30 });
  const client = mesh.client(Echo, "echo");
  daemon.stop();
  await until("the mesh has noticed", () => logged.some((line) => line.includes("reconnecting")));
  const error = await failure(client.say({}));
  assert.equal(error.status, Status.UNAVAILABLE);
  assert.match(error.reason, /waited 30 ms \(waitMs\) for the daemon at/);
});

test("only so many calls wait", async (t) => {
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon, { maxQueuedCalls: 2 });
  daemon.onBind = () => null;
  const client = mesh.client(Echo, "echo");
  daemon.onCall = () => true;
  const calls = [failure(client.say({})), failure(client.say({}))];
  const error = await failure(client.say({}));
  assert.equal(error.status, Status.RESOURCE_EXHAUSTED);
  assert.match(error.reason, /2 calls wait already \(option maxQueuedCalls/);
  await mesh.close();
  for (const call of calls) assert.equal((await call).status, Status.CANCELLED);
  assert.equal((await failure(client.say({}))).status, Status.CANCELLED);
});

test("a daemon that drains gets no new calls, and the pending ones end", async (t) => {
  const { client, daemon } = await startEcho(t);
  const held: (() => void)[] = [];
  daemon.onCall = ({ app, id }) => {
    held.push(() => app.reply(id, Status.ABORTED, 1, "done"));
    return true;
  };
  const pending = failure(client.say({}));
  await until("it is there", () => held.length === 1);
  for (const app of daemon.apps) app.send({ op: "drain" });
  const packetsRead = new Promise((resolve) => setTimeout(resolve, 20));
  await packetsRead;
  const later = client.say({ text: "later" });
  held[0]!();
  assert.equal((await pending).status, Status.ABORTED);
  assert.equal(held.length, 1);
  daemon.onCall = ({ app, id }) => {
    app.reply(id, Status.NOT_FOUND, 1, "new daemon");
    return true;
  };
  daemon.stop();
  daemon.start();
  assert.equal((await failure(later)).reason, "new daemon");
});

test("the last replies of a daemon that goes are not lost", async (t) => {
  const { client, daemon } = await startEcho(t);
  daemon.onCall = ({ app, id }) => {
    app.reply(id, Status.ABORTED, 1, "last words");
    app.close();
    return true;
  };
  assert.equal((await failure(client.say({}))).reason, "last words");
});

test("packets right behind the welcome are not lost", async (t) => {
  const daemon = startDaemon(t);
  daemon.onWelcome = (app) => {
    daemon.onWelcome = () => {};
    app.send({ op: "closed", code: "ERR_APP", message: "not now", reconnect: true });
    app.close();
  };
  const mesh = await startMesh(t, daemon);
  const error = await failure(mesh.client(Echo, "echo").say({}));
  assert.equal(error.reason, "nobody serves echo");
  assert.equal(daemon.hellos, 2);
});

test("a daemon that ends each connection at once is asked less and less often", async (t) => {
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon);
  const endAll = setInterval(() => {
    for (const app of daemon.apps) {
      if (app.name === "") continue;
      app.send({ op: "closed", code: "ERR_APP", message: "not now", reconnect: true });
      app.close();
    }
  }, 1);
  t.after(() => clearInterval(endAll));
  const start = performance.now();
  await until("it has connected several times", () => daemon.hellos >= 6);
  // Five pauses of 10, 20, 40, 80 and 160 ms lie between them; less the first, which may be over.
  assert.ok(performance.now() - start >= 250, `${performance.now() - start} ms`);
  await mesh.close();
});

test("a refused binding names the reason, and is asked for again", async (t) => {
  const { mesh, daemon } = await startEcho(t);
  daemon.onBind = () => ({ code: "ERR_SCHEMA_CONFLICT", status: 9, message: "field text differs" });
  const client = mesh.client(Echo, "other");
  const error = await failure(client.say({}));
  assert.equal(error.status, Status.FAILED_PRECONDITION);
  assert.equal(error.origin, "local-daemon");
  assert.equal(error.reason, "field text differs");
  assert.equal((error.cause as { code: string }).code, "ERR_SCHEMA_CONFLICT");
  daemon.onBind = () => null;
  assert.equal((await failure(client.say({}))).reason, "nobody serves other");
});

test("nonsense from the daemon ends the connection, not the process", async (t) => {
  const { client, daemon } = await startEcho(t);
  const nonsense = [
    [99, 1],
    [2, 12345],
    [4 | (1 << 16), 1, 64],
    [1, 5, 0, 0, 7 << 16, 0, 8],
    [4 | (9 << 16)],
  ];
  for (const slot of nonsense) {
    await until("it works", async () => {
      const reply = await client.say({ text: "on" }).catch(() => null);
      return reply !== null;
    });
    logged.length = 0;
    const app = daemon.apps.find((found) => found.name === (slot[0] === 1 ? "server" : "client"))!;
    app.sendSlot(...slot);
    await until("the mesh reconnects", () =>
      logged.some((line) => line.includes("broke the protocol")),
    );
  }
});

test("descriptors come back", async (t) => {
  const before = countDescriptors();
  const daemon = new FakeDaemon().start();
  t.after(() => daemon.end());
  for (let i = 0; i < 3; i++) {
    const mesh = await startMesh(t, daemon);
    const server = await mesh.serve({ name: "echo" }, (r) => r.service(Echo, { say: () => ({}) }));
    await mesh.client(Echo, "echo").say({ text: "hi" });
    if (i === 1) daemon.stop();
    if (i === 1) daemon.start();
    await server.close({ graceMs: 0 });
    await mesh.close();
  }
  daemon.end();
  await until("all are closed", () => countDescriptors() <= before);
});
