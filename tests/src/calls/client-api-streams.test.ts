/** What the client library offers around streaming calls, across a link. */
import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { connect, type Interceptor, type Mesh, RpcError, type Server, Status } from "@koala/mrpc";
import { rawClient, rawServe } from "@koala/mrpc/raw";
import { until } from "@koala/testing";
import { BasinSchema, type Drop, DropSchema, River } from "../gen/test/v1/river_pb.ts";
import { atEnd, startCluster } from "../stage/cluster.ts";
import { rejection } from "../stage/rejection.ts";

const timeoutMs = 30_000;

async function startPair(t: TestContext): Promise<{ mesh: Mesh; serverMesh: Mesh }> {
  const { a, b } = await startCluster(t);
  const mesh = await connect({ prefix: a.prefix, name: "caller" });
  atEnd(t, () => mesh.close({ graceMs: 0 }));
  const serverMesh = await connect({ prefix: b.prefix, name: "server" });
  atEnd(t, () => serverMesh.close({ graceMs: 0 }));
  return { mesh, serverMesh };
}

async function* drops(count: number): AsyncGenerator<{ serial: bigint }> {
  for (let i = 0; i < count; i++) yield { serial: BigInt(i) };
}

async function serialsOf(messages: AsyncIterable<Drop>): Promise<number[]> {
  const serials: number[] = [];
  for await (const { serial } of messages) serials.push(Number(serial));
  return serials;
}

function serve(mesh: Mesh, interceptors: readonly Interceptor[] = []): Promise<Server> {
  return mesh.serve({ name: "river", interceptors }, (r) =>
    r.service(River, {
      async *flow({ count, status }, context) {
        context.responseHeader.set("count", String(count));
        for await (const drop of drops(count)) yield drop;
        context.responseTrailer.set("done", "yes");
        if (status !== 0) throw new RpcError(status as Status, "dry");
      },
      async collect(requests, context) {
        const serials = await serialsOf(requests);
        context.responseTrailer.set("done", "yes");
        return { count: serials.length };
      },
      mirror: (requests) => requests,
    }),
  );
}

it("headers come before the messages, trailers after them", { timeout: 60_000 }, async (t) => {
  const { mesh, serverMesh } = await startPair(t);
  await serve(serverMesh);
  const river = mesh.client(River, "river");
  const seen: string[] = [];
  const options = {
    timeoutMs,
    waitForReady: true,
    onHeader: (all: Headers) => void seen.push(`header ${all.get("count")}`),
    onTrailer: (all: Headers) => void seen.push(`trailer ${all.get("done")}`),
  };
  for await (const { serial } of river.flow({ count: 2 }, options)) seen.push(String(serial));
  assert.deepEqual(seen, ["header 2", "0", "1", "trailer yes"]);
  seen.length = 0;
  await rejection(serialsOf(river.flow({ count: 1, status: Status.ABORTED }, options)));
  assert.deepEqual(seen, ["header 1", "trailer yes"]);
  seen.length = 0;
  assert.equal((await river.collect(drops(5), options)).count, 5);
  assert.deepEqual(seen, ["trailer yes"]);
});

it("interceptors see every message of a stream", { timeout: 60_000 }, async (t) => {
  const { mesh, serverMesh } = await startPair(t);
  const notes: string[] = [];
  const watching =
    (side: string): Interceptor =>
    (next) =>
    async (req) => {
      assert.ok(req.stream);
      const res = await next({ ...req, message: noting(`${side} request`, req.message) });
      assert.ok(res.stream);
      return { ...res, message: noting(`${side} response`, res.message) };
    };
  async function* noting<T>(what: string, messages: AsyncIterable<T>): AsyncIterable<T> {
    let count = 0;
    for await (const message of messages) {
      count++;
      yield message;
    }
    notes.push(`${what}: ${count}`);
  }
  await serve(serverMesh, [watching("server")]);
  const river = mesh.client(River, "river", { interceptors: [watching("client")] });
  const options = { timeoutMs, waitForReady: true };
  assert.deepEqual(await serialsOf(river.flow({ count: 3 }, options)), [0, 1, 2]);
  assert.equal((await river.collect(drops(4), options)).count, 4);
  assert.deepEqual(await serialsOf(river.mirror(drops(5), options)), [0, 1, 2, 3, 4]);
  const expected = [1, 3, 4, 1, 5, 5].flatMap((count, i) => {
    const what = i % 2 === 0 ? "request" : "response";
    return [`client ${what}: ${count}`, `server ${what}: ${count}`];
  });
  assert.deepEqual([...notes].sort(), [...expected].sort());
  const error = await rejection(serialsOf(river.flow({ count: 1, status: 10 }, options)));
  assert.equal(error.status, Status.ABORTED);
  for await (const _ of river.flow({ count: 100_000 }, options)) break;
});

it("streams of bytes of protobuf, of all kinds", { timeout: 60_000 }, async (t) => {
  const { mesh, serverMesh } = await startPair(t);
  const collect = async (requests: AsyncIterable<Uint8Array>): Promise<Uint8Array> => {
    let count = 0;
    for await (const request of requests) if (request.length > 0) count++;
    return toBinary(BasinSchema, create(BasinSchema, { count }));
  };
  const flow = async function* (): AsyncGenerator<Uint8Array> {
    for await (const drop of drops(3)) yield toBinary(DropSchema, create(DropSchema, drop));
  };
  await rawServe(serverMesh, { name: "raw" }, River, {
    collect,
    flow,
    mirror: (requests) => requests,
    still: (request) => request,
  });
  const raw = rawClient(mesh, River, "raw");
  const bytes = (text: string): Uint8Array => toBinary(DropSchema, create(DropSchema, { text }));
  const options = { timeoutMs, waitForReady: true };
  const all = async (messages: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> => {
    const list: Uint8Array[] = [];
    for await (const message of messages) list.push(new Uint8Array(message));
    return list;
  };
  const { method } = River;
  const requests = [bytes("one"), bytes("two")];
  assert.deepEqual(await all(raw.stream(method.mirror, requests, options)), requests);
  const [basin] = await all(raw.stream(method.collect, requests, options));
  assert.equal(fromBinary(BasinSchema, basin!).count, 2);
  assert.equal((await all(raw.stream(method.flow, [new Uint8Array(0)], options))).length, 3);
  assert.deepEqual(await all(raw.stream(method.still, [bytes("x")], options)), [bytes("x")]);
  // Those with messages as objects reach the same server.
  const texts: string[] = [];
  const river = mesh.client(River, "raw");
  for await (const { text } of river.mirror([{ text: "a" }, { text: "b" }])) texts.push(text);
  assert.deepEqual(texts, ["a", "b"]);
});

it("a server that closes ends its streams and says how many", { timeout: 60_000 }, async (t) => {
  const { mesh, serverMesh } = await startPair(t);
  const server = await serve(serverMesh);
  const river = mesh.client(River, "river");
  const streams = [endless(), endless()].map((requests) =>
    river.mirror(requests, { timeoutMs, waitForReady: true })[Symbol.asyncIterator](),
  );
  for (const stream of streams) assert.equal((await stream.next()).value?.serial, 1n);
  const rest = streams.map((stream) => rejection(stream.next()));
  assert.deepEqual(await server.close({ graceMs: 50 }), { cut: 2 });
  for (const error of rest) assert.equal((await error).status, Status.UNAVAILABLE);
  await until("it is no longer offered", async () => {
    const offers = await mesh.services();
    return offers.every(({ name }) => name !== "river");
  });
});

async function* endless(): AsyncGenerator<{ serial: bigint }> {
  yield { serial: 1n };
  await new Promise(() => {});
}
