import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { Worker } from "node:worker_threads";
import { type Child, spawnNode, until } from "@koala/testing";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import type { MeshConnection } from "./mesh.ts";
import { failure, Status, startEcho, startMesh } from "./mesh-helper.test.ts";

const program = new URL("./lone-app-helper.test.js", import.meta.url);

function startApp(t: TestContext, task: string, prefix: string): Child {
  const env = { KOALA_TEST_TASK: task, KOALA_TEST_PREFIX: prefix, NODE_TEST_CONTEXT: "" };
  const child = spawnNode(program, [], { env });
  t.after(() => child.stop());
  return child;
}

test("an idle connection does not keep a process alive", async (t) => {
  const { daemon } = await startEcho(t);
  const child = startApp(t, "call", daemon.prefix);
  await child.line(/say lone/);
  assert.deepEqual(await child.exit(), { code: 0, signal: null });
});

test("a server keeps its process alive, and its end is noticed", async (t) => {
  const { daemon, mesh } = await startEcho(t);
  const child = startApp(t, "serve", daemon.prefix);
  await child.line(/serving/);
  const client = mesh.client(Echo, "lone");
  for (let i = 0; i < 3; i++) assert.equal((await client.say({})).text, "served");
  child.kill();
  await until("calls fail", async () => {
    const error = await client.say({}).catch((caught) => caught);
    return error.status === Status.UNAVAILABLE;
  });
});

test("several threads, each with its own connection", async (t) => {
  const { daemon } = await startEcho(t);
  const workers = Array.from(
    { length: 3 },
    () => new Worker(program, { workerData: { task: "many", prefix: daemon.prefix } }),
  );
  const counts = await Promise.all(workers.map((worker) => once(worker, "message")));
  assert.deepEqual(counts, [[200], [200], [200]]);
  await Promise.all(workers.map((worker) => worker.terminate()));
  await until("their connections are gone", () => daemon.apps.length === 2);
  assert.deepEqual(daemon.violations, []);
});

test("several meshes in one thread, and a closed one", async (t) => {
  const { daemon, mesh, client } = await startEcho(t);
  const other = await startMesh(t, daemon);
  assert.equal((await other.client(Echo, "echo").say({ number: 1 })).number, 2);
  assert.equal(mesh.client(Echo, "echo"), client);
  await other[Symbol.asyncDispose]();
  assert.equal((await failure(other.client(Echo, "echo").say({}))).status, Status.CANCELLED);
  await assert.rejects(
    other.serve({ name: "x" }, () => {}),
    { code: "ERR_MESH_CLOSED" },
  );
  assert.equal((await client.say({ number: 1 })).number, 2);
});

test("a burst costs one publication", async (t) => {
  const { client, mesh } = await startEcho(t);
  await client.say({});
  const { out } = (mesh as MeshConnection).datapath!;
  let flushes = 0;
  const { flush } = out;
  out.flush = () => {
    flushes++;
    flush.call(out);
  };
  const deep = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) await client.say({});
  };
  await Promise.all(Array.from({ length: 100 }, deep));
  // Three bursts of a hundred calls, and what follows the last one.
  assert.ok(flushes <= 12, `${flushes} flushes for 300 calls`);
});
