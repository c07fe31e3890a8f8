/** A large message that a daemon further on refuses ends its stream: the caller gets why, the handler is told that nobody waits. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { type RpcError, Status } from "@koala/mrpc";
import { until } from "@koala/testing";
import { River } from "../gen/test/v1/river_pb.ts";
import { startDaemon } from "../stage/cluster.ts";
import { connectTo } from "../stage/kitchen.ts";
import { HandlerEnds } from "../stage/open-streams.ts";
import { rejection } from "../stage/rejection.ts";
import { nothingIsOpen } from "../stage/river-stage.ts";

it("a message above the limit of the server's daemon", { timeout: 60_000 }, async (t) => {
  const b = await startDaemon(t, { name: "b", config: '[limits]\nmessage = "1MiB"' });
  const a = await startDaemon(t, { name: "a", peers: [b] });
  const ends = new HandlerEnds();
  const server = await connectTo(t, b, { name: "server" });
  await server.serve({ name: "river" }, (router) => router.service(River, ends.impl));
  const river = (await connectTo(t, a)).client(River, "river");
  await river.still({}, { waitForReady: true });
  async function* drops(): AsyncGenerator<{ data: Uint8Array }> {
    yield { data: new Uint8Array(10) };
    await until("the handler", () => ends.begun > 0);
    yield { data: new Uint8Array(3 << 20) };
    await new Promise(() => {});
  }
  const error: RpcError = await rejection(river.collect(drops(), { timeoutMs: 30_000 }));
  assert.deepEqual([error.status, error.origin], [Status.RESOURCE_EXHAUSTED, "remote-daemon"]);
  assert.match(error.message, /larger than 1048576/);
  // By design: whose caller has its reply, for whatever reason but a deadline, is told as if the caller had left.
  const [reason] = await ends.ended(1);
  assert.equal(reason?.status, Status.CANCELLED);
  await nothingIsOpen(a, b);
});

it("a message of a handler above the limit of the caller's daemon", {
  timeout: 60_000,
}, async (t) => {
  const b = await startDaemon(t, { name: "b" });
  const a = await startDaemon(t, { name: "a", peers: [b], config: '[limits]\nmessage = "1MiB"' });
  const ends = new HandlerEnds();
  const server = await connectTo(t, b, { name: "server" });
  await server.serve({ name: "river" }, (router) => router.service(River, ends.impl));
  const river = (await connectTo(t, a)).client(River, "river");
  await river.still({}, { waitForReady: true });
  const read = async (): Promise<void> => {
    // More than it can ever send: only the refusal ends the handler.
    const source = { count: 0x7fffffff, bytes: 3 << 20 };
    for await (const _ of river.flow(source, { timeoutMs: 30_000 })) assert.fail("a message");
  };
  const error = await rejection(read());
  assert.deepEqual([error.status, error.origin], [Status.RESOURCE_EXHAUSTED, "local-daemon"]);
  assert.match(error.message, /larger than 1048576/);
  const [reason] = await ends.ended(1);
  assert.equal(reason?.status, Status.CANCELLED);
  await nothingIsOpen(a, b);
});
