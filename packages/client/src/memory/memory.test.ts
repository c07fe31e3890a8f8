import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "@koala/testing";
import { Echo } from "../gen/echo/v1/echo_pb.ts";
import type { Mesh, MeshConnection } from "../mesh/mesh.ts";
import { failure, Status, startDaemon, startEcho, startMesh } from "../mesh/mesh-helper.test.ts";

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed) & 0xff);
}

/** Blocks of the send heap in use. */
function blocksOf(mesh: Mesh): number {
  return (mesh as MeshConnection).datapath!.send.heap.usage().blocks;
}

test("large bytes travel as segments, both ways", async (t) => {
  const { client, daemon, mesh, serverMesh } = await startEcho(t);
  for (const length of [0, 1, 4095, 4096, 5000, 100_000, 700_000]) {
    const body = pattern(length, length);
    const reply = await client.say({ body, text: "é".repeat(length % 97) });
    assert.deepEqual(reply.body, body, `${length} bytes`);
  }
  await until("blocks come back", () => blocksOf(mesh) === 0 && blocksOf(serverMesh) === 0);
  assert.deepEqual(daemon.violations, []);
});

test("text that is larger than any guess, and small again", async (t) => {
  const { client } = await startEcho(t);
  for (const length of [10, 9000, 300_000, 10, 70_000]) {
    const text = "ü".repeat(length);
    assert.equal((await client.say({ text })).text, `say ${text}`);
  }
});

test("bytes of mesh.bytes are sent from where they are", async (t) => {
  const { client, mesh } = await startEcho(t);
  const bytes = mesh.bytes(200_000);
  const source = pattern(200_000, 3);
  bytes.set(source);
  assert.equal(blocksOf(mesh), 1);
  assert.deepEqual((await client.say({ body: bytes })).body, source);
  await until("the block comes back", () => blocksOf(mesh) === 0);

  const again = await failure(client.say({ body: bytes }));
  assert.equal(again.status, Status.INVALID_ARGUMENT);
  assert.match(again.message, /mesh\.bytes\(\) were sent before/);
  assert.equal(blocksOf(mesh), 0);

  const part = mesh.bytes(10_000);
  part.fill(7);
  const shorter = await client.say({ body: part.subarray(0, 5000) });
  assert.deepEqual(shorter.body, new Uint8Array(5000).fill(7));
});

test("a call that fails before it is sent leaves the user's bytes theirs", async (t) => {
  const { client, mesh } = await startEcho(t);
  const body = mesh.bytes(50_000).fill(1);
  const bad = "x" as unknown as boolean;
  const error = await failure(client.say({ body, inner: { flag: bad } }));
  assert.equal(error.status, Status.INVALID_ARGUMENT);
  assert.equal((await client.say({ body })).body.length, 50_000);
});

test("small or too much: mesh.bytes gives ordinary memory", async (t) => {
  const { mesh } = await startEcho(t, { sendHeapBytesMax: 1 << 20 });
  assert.equal(mesh.bytes(100).buffer.byteLength, 100);
  const large = mesh.bytes(2 << 20);
  assert.equal(large.buffer.byteLength, 2 << 20);
});

test("a message beyond the limit names the setting", async (t) => {
  const { client, mesh } = await startEcho(t, { messageBytesMax: 100_000 });
  const inOneSegment = await failure(client.say({ body: new Uint8Array(200_000) }));
  const inline = await failure(client.say({ text: "x".repeat(200_000) }));
  for (const error of [inOneSegment, inline]) {
    assert.equal(error.status, Status.RESOURCE_EXHAUSTED);
    assert.equal(error.retryable, false);
    assert.match(
      error.message,
      /Say: request of .* limits\.message = 97\.7 KiB .*koala\.toml \[limits\] message/,
    );
  }
  assert.equal((await client.say({ text: "x".repeat(80_000) })).text.length, 80_004);
  await until("nothing leaks", () => blocksOf(mesh) === 0);
});

test("the send heap grows when it is full, and shrinks", async (t) => {
  const { client, daemon, mesh } = await startEcho(t);
  const app = daemon.apps.find((found) => found.name === "client")!;
  const body = pattern(400_000, 1);
  const calls = Array.from({ length: 20 }, () => client.say({ body }));
  for (const reply of await Promise.all(calls)) assert.equal(reply.body.length, body.length);
  assert.ok(app.requests.some((request) => request.op === "grow"));
  await until("blocks come back", () => blocksOf(mesh) === 0);
  await until("regions go back", () => app.requests.some((request) => request.op === "shrink"));
  assert.deepEqual((await client.say({ body })).body, body);
  assert.deepEqual(daemon.violations, []);
});

test("a heap that may not grow: calls wait for each other", async (t) => {
  const { client, daemon } = await startEcho(t, { sendHeapBytesMax: 1 << 20 });
  const body = pattern(400_000, 1);
  const calls = Array.from({ length: 10 }, () => client.say({ body }));
  for (const reply of await Promise.all(calls)) assert.equal(reply.body.length, body.length);
  assert.deepEqual(daemon.violations, []);
});

test("a block that can never fit", async (t) => {
  const { client } = await startEcho(t, { sendHeapBytesMax: 1 << 20 });
  const error = await failure(client.say({ body: new Uint8Array(3 << 20) }));
  assert.equal(error.status, Status.RESOURCE_EXHAUSTED);
  assert.match(error.message, /limits\.send_heap = /);
});

test("a server whose replies find no room sends them later", async (t) => {
  const daemon = startDaemon(t, { sendHeapBytesMax: 1 << 20 });
  const serverMesh = await startMesh(t, daemon, { name: "server" });
  await serverMesh.serve({ name: "echo" }, (r) => {
    r.service(Echo, { say: ({ number }) => ({ number, body: pattern(300_000, number) }) });
  });
  const mesh = await startMesh(t, daemon);
  const serverApp = daemon.apps.find((found) => found.name === "server")!;
  serverApp.keepsReplies = true;
  const client = mesh.client(Echo, "echo");
  const calls = Array.from({ length: 8 }, (_, number) => client.say({ number }));
  await until("the heap is full", () => serverApp.keptReplies.length >= 4);
  serverApp.releaseKept();
  const replies = await Promise.all(calls);
  replies.forEach((reply, number) => {
    assert.deepEqual(reply.body, pattern(300_000, number));
  });
  assert.deepEqual(daemon.violations, []);
});

test("a reply that is too large, and one that can never fit", async (t) => {
  const daemon = startDaemon(t, { sendHeapBytesMax: 1 << 20, messageBytesMax: 4 << 20 });
  const serverMesh = await startMesh(t, daemon, { name: "server" });
  await serverMesh.serve({ name: "echo" }, (r) => {
    r.service(Echo, { say: ({ number }) => ({ body: new Uint8Array(number) }) });
  });
  const client = (await startMesh(t, daemon)).client(Echo, "echo");
  const large = await failure(client.say({ number: 5 << 20 }));
  assert.match(large.message, /RESOURCE_EXHAUSTED: .*reply of 5 MiB .*limits\.message/);
  const noRoom = await failure(client.say({ number: 2 << 20 }));
  assert.match(noRoom.message, /RESOURCE_EXHAUSTED: .*reply: no room for .*limits\.send_heap/);
  assert.equal((await client.say({ number: 5 })).body.length, 5);
});
