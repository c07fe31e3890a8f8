import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "@koala/testing";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import { serve } from "../mesh/connect.ts";
import { failure, Status, startDaemon, startEcho, startMesh } from "../mesh/mesh-helper.test.ts";
import type { ServiceRoutes } from "./service-router.ts";

test("closing waits for running handlers", async (t) => {
  const { client, server, seen, daemon } = await startEcho(t);
  const calls = Array.from({ length: 10 }, () => client.say({ text: "async" }));
  await until("handlers run", () => seen.calls === 10);
  assert.deepEqual(await server.close(), { cut: 0 });
  for (const reply of await Promise.all(calls)) assert.equal(reply.text, "say async");
  assert.match((await failure(client.say({}))).reason, /nobody serves echo/);
  assert.deepEqual(daemon.violations, []);
});

test("handlers that do not end are cut after the grace time", async (t) => {
  const { client, server, seen } = await startEcho(t);
  const call = failure(client.say({ text: "hang" }));
  await until("the handler runs", () => seen.calls === 1);
  assert.deepEqual(await server.close({ graceMs: 10 }), { cut: 1 });
  const error = await call;
  assert.equal(error.status, Status.UNAVAILABLE);
  assert.equal(error.origin, "remote-app");
  assert.ok(seen.aborted !== undefined);
});

test("a server with a connection of its own", async (t) => {
  const daemon = startDaemon(t);
  const options = { name: "own", prefix: daemon.prefix };
  const server = await serve(options, (r) => r.service(Echo, { say: () => ({ text: "own" }) }));
  const mesh = await startMesh(t, daemon);
  assert.equal((await mesh.client(Echo, "own").say({})).text, "own");
  assert.equal((await server.mesh.client(Echo, "own").say({})).text, "own");
  await server.close();
  await until("the connection is closed", () => daemon.apps.length === 1);
});

test("what can't be served is said before anything is sent", async (t) => {
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon);
  await assert.rejects(
    mesh.serve({ name: "empty" }, () => {}),
    { code: "ERR_SERVE_EMPTY" },
  );
  const say = 5 as unknown as () => object;
  await assert.rejects(
    mesh.serve({ name: "odd" }, (r) => r.service(Echo, { say })),
    { code: "ERR_SERVE_HANDLER", message: /echo\.v1\.Echo\.say: expected a function/ },
  );
});

test("names are checked here, because the daemon ends who sends a bad one", async (t) => {
  const daemon = startDaemon(t);
  await assert.rejects(startMesh(t, daemon, { name: "" }), { code: "ERR_CONNECT_NAME" });
  const mesh = await startMesh(t, daemon);
  const routes: ServiceRoutes = (r) => r.service(Echo, {});
  await assert.rejects(mesh.serve({ name: "x".repeat(256) }, routes), { code: "ERR_SERVE_NAME" });
  assert.throws(() => mesh.client(Echo, ""), { code: "ERR_CLIENT_TARGET" });
});

test("methods of a class keep their this", async (t) => {
  class Greeter {
    private readonly greeting = "hello";
    say(): { text: string } {
      return { text: this.greeting };
    }
  }
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon);
  await mesh.serve({ name: "class" }, (r) => r.service(Echo, new Greeter()));
  assert.equal((await mesh.client(Echo, "class").say({})).text, "hello");
});

test("a handler may close its own mesh", async (t) => {
  const daemon = startDaemon(t);
  const serverMesh = await startMesh(t, daemon);
  await serverMesh.serve({ name: "exit" }, (r) => {
    r.service(Echo, {
      say() {
        void serverMesh.close({ graceMs: 0 });
        return { text: "bye" };
      },
    });
  });
  const client = (await startMesh(t, daemon)).client(Echo, "exit");
  assert.equal((await client.say({})).text, "bye");
  await until("it is gone", () => daemon.apps.length === 1);
});
