import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "@koala/testing";
import type { SayRequest } from "../gen/echo/v1/echo_pb.ts";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import { startDaemon, startEcho, startMesh } from "../mesh/mesh-helper.test.ts";
import { release } from "./view-lease.ts";

test("a view of a reply keeps its memory until it is released", async (t) => {
  const { client, daemon } = await startEcho(t);
  const app = daemon.apps.find((found) => found.name === "client")!;
  const body = new Uint8Array(100_000).fill(5);
  const view = await client.say({ text: "v", body }, { view: true });
  assert.equal(view.text, "say v");
  assert.deepEqual(view.body, body);
  assert.notEqual(view.body.buffer.byteLength, body.length, "the bytes are those of the region");
  for (let i = 0; i < 20; i++) await client.say({ text: "other" });
  assert.deepEqual(view.body, body);
  assert.ok(app.blocksInUse >= 1);
  release(view);
  release(view);
  await until("all memory is back", () => app.blocksInUse === 0);
  assert.deepEqual(daemon.violations, []);
});

test("using gives the memory back, and does not show among the fields", async (t) => {
  const { client, daemon } = await startEcho(t);
  const app = daemon.apps.find((found) => found.name === "client")!;
  await (async () => {
    using view = await client.say({ text: "v", body: new Uint8Array(100_000) }, { view: true });
    assert.equal(view.text, "say v");
    assert.ok(app.blocksInUse >= 1);
    const prototype: object = Object.getPrototypeOf(view);
    assert.deepEqual(Object.getOwnPropertySymbols(view), []);
    assert.equal(Object.prototype.propertyIsEnumerable.call(prototype, Symbol.dispose), false);
  })();
  await until("all memory is back", () => app.blocksInUse === 0);
  assert.equal(Symbol.dispose in Object.prototype, false);
});

test("releasing a copy does nothing", async (t) => {
  const { client } = await startEcho(t);
  const reply = await client.say({ text: "copy" });
  release(reply);
  assert.equal(reply.text, "say copy");
});

test("handlers may get views, and hold them", async (t) => {
  const daemon = startDaemon(t);
  const serverMesh = await startMesh(t, daemon, { name: "server" });
  const held: SayRequest[] = [];
  const implementation = {
    say(request: SayRequest, context: { hold(): void }) {
      if (request.number === 1) {
        context.hold();
        held.push(request);
      }
      return { text: request.text };
    },
  };
  await serverMesh.serve({ name: "echo" }, (r) => {
    r.service(Echo, implementation, { view: true });
  });
  const client = (await startMesh(t, daemon)).client(Echo, "echo");
  const app = daemon.apps.find((found) => found.name === "server")!;
  assert.equal((await client.say({ text: "first", number: 1 })).text, "first");
  for (let i = 0; i < 20; i++) await client.say({ text: "other" });
  assert.equal(held[0]!.text, "first");
  assert.equal(app.blocksInUse, 1);
  release(held[0]!);
  for (let i = 0; i < 2; i++) await client.say({ text: "carries the release" });
  await until("the request is back", () => app.blocksInUse === 0);
  assert.deepEqual(daemon.violations, []);
});

test("a view outlives the connection", async (t) => {
  const { client, daemon, mesh } = await startEcho(t);
  const body = new Uint8Array(100_000).fill(5);
  const view = await client.say({ body }, { view: true });
  daemon.stop();
  await mesh.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(view.body.length, body.length);
  release(view);
});
