import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { until } from "@koala/testing";
import { Echo, SayRequestSchema } from "../gen/echo/v1/echo_pb.ts";
import { failure, logged, Status, startEcho, startMesh } from "../mesh/mesh-helper.test.ts";

test("a call, from plain objects and from messages", async (t) => {
  const { client, daemon } = await startEcho(t);
  const reply = await client.say({ text: "hi", number: 1, tags: ["a", "ü"] });
  assert.equal(reply.$typeName, "echo.v1.SayReply");
  assert.equal(reply.text, "say hi");
  assert.equal(reply.number, 2);
  assert.deepEqual(reply.tags, ["a", "ü"]);
  const message = create(SayRequestSchema, { text: "whole", number: 5 });
  assert.equal((await client.say(message)).number, 6);
  assert.equal((await client.say({ text: "async" })).text, "say async");
  assert.deepEqual(daemon.violations, []);
});

test("thousands of calls, many more at once than the daemon takes", async (t) => {
  const { client, daemon } = await startEcho(t, { callsMax: 16, ringSlots: 8 });
  const calls = Array.from({ length: 3000 }, (_, number) => client.say({ text: "n", number }));
  const replies = await Promise.all(calls);
  replies.forEach((reply, number) => {
    assert.equal(reply.number, number + 1);
  });
  await until("blocks come back", () => daemon.apps.every((app) => app.blocksInUse < 7));
  assert.deepEqual(daemon.violations, []);
});

test("statuses of handlers reach the caller with message, details and trailers", async (t) => {
  const { client } = await startEcho(t);
  for (let status = 1; status <= 16; status++) {
    const error = await failure(client.fail({ status, message: `städtus ${status}` }));
    assert.equal(error.status, status);
    assert.equal(error.code, `ERR_RPC_${error.statusName}`);
    assert.equal(error.message, `${error.statusName}: städtus ${status}`);
    assert.equal(error.origin, "remote-app");
    assert.deepEqual([...error.details], [1, 2, 3]);
    assert.deepEqual(error.metadata, [["why", "told"]]);
  }
});

test("other errors of handlers are UNKNOWN, and logged", async (t) => {
  const { client } = await startEcho(t);
  logged.length = 0;
  const error = await failure(client.fail({ message: "a bug" }));
  assert.equal(error.status, Status.UNKNOWN);
  assert.equal(error.reason, "handler threw: a bug");
  assert.match(logged[0] ?? "", /error: handler of echo\.v1\.Echo\/Fail threw: TypeError: a bug/);
});

test("a method without handler is UNIMPLEMENTED", async (t) => {
  const { client } = await startEcho(t);
  const error = await failure(client.missing({}));
  assert.equal(error.status, Status.UNIMPLEMENTED);
  assert.match(error.reason, /echo\.v1\.Echo\/Missing has no handler/);
});

test("bad values are INVALID_ARGUMENT and name message and field", async (t) => {
  const { client, daemon } = await startEcho(t);
  const bad = { number: "five" } as unknown as { number: number };
  const error = await failure(client.say(bad));
  assert.equal(error.status, Status.INVALID_ARGUMENT);
  assert.equal(error.origin, "app");
  assert.match(error.message, /SayRequest/);
  assert.match(error.message, /number/);
  const none = await failure(client.say(null as unknown as object));
  assert.equal(none.status, Status.INVALID_ARGUMENT);
  assert.equal((await client.say({ number: 5 })).number, 6);
  assert.deepEqual(daemon.violations, []);
});

test("a result that can't be written is INTERNAL and names the field", async (t) => {
  const { client, daemon, serverMesh } = await startEcho(t);
  await serverMesh.serve({ name: "odd" }, (r) => {
    r.service(Echo, {
      say: () => ({ number: 1.5 }),
      missing: () => undefined as unknown as object,
    });
  });
  const mesh = await startMesh(t, daemon);
  const error = await failure(mesh.client(Echo, "odd").say({}));
  assert.equal(error.status, Status.INTERNAL);
  assert.match(error.message, /echo\.v1\.Echo\/Say: reply: .*number/);
  const nothing = await failure(mesh.client(Echo, "odd").missing({}));
  assert.equal(nothing.status, Status.INTERNAL);
  assert.match(nothing.message, /found undefined/);
  assert.equal((await client.say({ number: 5 })).number, 6);
});

test("metadata both ways", async (t) => {
  const { client, seen } = await startEcho(t);
  const { serverMesh, mesh } = await startEcho(t);
  await client.say(
    {},
    {
      metadata: [
        ["a", "1"],
        ["b-bin", new Uint8Array([9])],
      ],
    },
  );
  assert.deepEqual(seen.context?.metadata, [
    ["a", "1"],
    ["b-bin", new Uint8Array([9])],
  ]);
  await serverMesh.serve({ name: "trailers" }, (r) => {
    r.service(Echo, {
      say: (_request, context) => {
        context.responseMetadata = [["took", "1ms"]];
        return { text: "x".repeat(100), body: new Uint8Array(5000) };
      },
    });
  });
  let trailers: unknown;
  const onTrailerEntries = (entries: unknown): void => {
    trailers = entries;
  };
  const reply = await mesh
    .client(Echo, "trailers")
    .say({ text: "x".repeat(300) }, { onTrailerEntries });
  assert.equal(reply.body.length, 5000);
  assert.deepEqual(trailers, [["took", "1ms"]]);
});

test("metadata that is no good, and too much of it", async (t) => {
  const { client } = await startEcho(t);
  const bad = await failure(client.say({}, { metadata: [["Upper", "x"]] }));
  assert.equal(bad.status, Status.INVALID_ARGUMENT);
  const large = await failure(client.say({}, { metadata: [["a", "x".repeat(17_000)]] }));
  assert.equal(large.status, Status.RESOURCE_EXHAUSTED);
  assert.match(large.message, /limits.*metadata/);
});

test("context of a handler", async (t) => {
  const { client, seen } = await startEcho(t);
  await client.say({}, { timeoutMs: 5000 });
  assert.equal(seen.context?.service, "echo.v1.Echo");
  assert.equal(seen.context?.method, "Say");
  const left = seen.context?.timeoutMs ?? 0;
  assert.ok(left > 0 && left <= 5000, `${left}`);
  assert.ok((seen.context?.deadline?.getTime() ?? 0) > Date.now() - 1000);
  await client.say({});
  assert.equal(seen.context?.timeoutMs, undefined);
});
