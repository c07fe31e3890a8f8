/** Clients of Connect and gRPC-Web reach services of the mesh through the ingress of a gateway. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { create, createRegistry, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { until } from "@koala/testing";
import { FailureSchema, NoteSchema, Probe } from "../gen/test/v1/probe_pb.ts";
import { startDaemon } from "../stage/cluster.ts";
import { type ProbeLog, serveProbe, startGateway } from "../stage/gateway.ts";

interface Edge {
  readonly url: string;
  readonly log: ProbeLog;
}

async function startEdge(t: TestContext, args: readonly string[] = []): Promise<Edge> {
  const daemon = await startDaemon(t);
  const log = await serveProbe(t, daemon);
  const { address } = await startGateway(t, daemon, ["--ingress", "127.0.0.1:0", ...args]);
  return { url: `http://${address}`, log };
}

type Options = Parameters<typeof createConnectTransport>[0];
type MakeTransport = (options: Options) => Transport;

/** The options that all transports have. */
function http2Only({ baseUrl }: Options): { baseUrl: string } {
  return { baseUrl };
}

const protocols: readonly [name: string, httpVersion: "1.1" | "2", make: MakeTransport][] = [
  ["Connect, protobuf, HTTP/2", "2", createConnectTransport],
  ["Connect, protobuf, HTTP/1.1", "1.1", createConnectTransport],
  [
    "Connect, JSON, HTTP/2",
    "2",
    (options) =>
      createConnectTransport({
        ...options,
        useBinaryFormat: false,
        jsonOptions: { registry: createRegistry(NoteSchema) },
      }),
  ],
  [
    "Connect, JSON, HTTP/1.1",
    "1.1",
    (options) =>
      createConnectTransport({
        ...options,
        useBinaryFormat: false,
        jsonOptions: { registry: createRegistry(NoteSchema) },
      }),
  ],
  ["Connect, GET", "1.1", (options) => createConnectTransport({ ...options, useHttpGet: true })],
  [
    "Connect, gzip",
    "2",
    (options) =>
      createConnectTransport({
        ...options,
        sendCompression: compressionGzip,
        acceptCompression: [compressionGzip],
        compressMinBytes: 0,
      }),
  ],
  ["gRPC-Web, HTTP/2", "2", createGrpcWebTransport],
  ["gRPC-Web, HTTP/1.1", "1.1", createGrpcWebTransport],
  ["gRPC of connect-es", "2", (options) => createGrpcTransport(http2Only(options))],
  [
    "gRPC of connect-es, gzip",
    "2",
    (options) =>
      createGrpcTransport({
        ...http2Only(options),
        sendCompression: compressionGzip,
        acceptCompression: [compressionGzip],
        compressMinBytes: 0,
      }),
  ],
];

describe("Connect and gRPC-Web through an ingress", { timeout: 180_000 }, () => {
  it("take every kind of call", async (t) => {
    const { url, log } = await startEdge(t);
    for (const [name, httpVersion, make] of protocols) {
      const transport = make({ baseUrl: url, httpVersion } as Options);
      await t.test(name, async () => {
        await everyKind(transport, httpVersion === "2");
        await failures(transport);
        await endings(transport, log);
      });
    }
  });

  it("answers curl", async (t) => {
    const { url } = await startEdge(t);
    const path = `${url}/${Probe.typeName}`;
    const post = (method: string, body: string, headers: Record<string, string> = {}) =>
      fetch(`${path}/${method}`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", ...headers },
      });
    const echoed = await post("Echo", '{"text": "curl", "unknown": 1}', { "x-own": "value" });
    assert.equal(echoed.status, 200);
    assert.equal(echoed.headers.get("content-type"), "application/json");
    assert.equal(echoed.headers.get("x-own"), "value");
    assert.equal(echoed.headers.get("trailer-own"), "value");
    assert.deepEqual(await echoed.json(), { text: "curl" });

    const failed = await post("Fail", '{"status": 5, "message": "gone"}');
    assert.equal(failed.status, 404);
    const error = (await failed.json()) as { code: string; message: string; details: unknown[] };
    assert.deepEqual([error.code, error.message], ["not_found", "gone"]);
    assert.deepEqual(error.details, [{ type: "test.v1.Failure", value: "CAUSBGdvbmU" }]);
    assert.equal(failed.headers.get("trailer-x-reason"), "told to");

    const malformed = await post("Echo", '{"text": 7}');
    assert.equal(malformed.status, 400);
    const { code, message } = (await malformed.json()) as { code: string; message: string };
    assert.equal(code, "invalid_argument");
    assert.match(message, /the request is no JSON of test\.v1\.Note/);

    const query = new URLSearchParams({ connect: "v1", encoding: "json", message: '{"number":7}' });
    const got = await fetch(`${path}/Echo?${query}`);
    assert.deepEqual([got.status, await got.json()], [200, { number: 7 }]);
    const packed = gzipSync(toBinary(NoteSchema, create(NoteSchema, { text: "é" })));
    const binary = new URLSearchParams({
      ...{ connect: "v1", encoding: "proto", compression: "gzip", base64: "1" },
      message: packed.toString("base64url"),
    });
    const bytes = Buffer.from(await (await fetch(`${path}/Echo?${binary}`)).arrayBuffer());
    assert.deepEqual(bytes, Buffer.from([10, 2, 0xc3, 0xa9]));
    assert.equal((await fetch(`${path}/Fail?${query}`)).status, 405);
  });

  it("refuses what is no call in HTTP's own words", async (t) => {
    const { url } = await startEdge(t);
    const path = `${url}/${Probe.typeName}/Echo`;
    const statusOf = async (address: string, init?: RequestInit): Promise<number> => {
      const response = await fetch(address, init);
      await response.text();
      return response.status;
    };
    const json = { "content-type": "application/json" };
    assert.equal(await statusOf(`${url}/`), 404);
    assert.equal(await statusOf(`${url}/a/b/c`, { method: "POST" }), 404);
    assert.equal(await statusOf(path), 405);
    assert.equal(await statusOf(path, { method: "PUT", body: "" }), 405);
    assert.equal(await statusOf(path, { method: "POST", body: "" }), 415);
    const text = { "content-type": "text/html" };
    assert.equal(await statusOf(path, { method: "POST", body: "", headers: text }), 415);
    const grpc = { "content-type": "application/grpc" };
    assert.equal(await statusOf(path, { method: "POST", body: "", headers: grpc }), 505);
    const list = `${url}/${Probe.typeName}/List`;
    assert.equal(await statusOf(list, { method: "POST", body: "{}", headers: json }), 415);
    const nobody = await fetch(`${url}/no.such.Service/Method`, {
      ...{ method: "POST", body: "{}", headers: json },
    });
    assert.equal(nobody.status, 501);
    assert.equal(((await nobody.json()) as { code: string }).code, "unimplemented");
    assert.equal(nobody.headers.get("trailer-koala-origin"), "local-daemon");
    const coded = { ...json, "content-encoding": "br" };
    assert.equal(await statusOf(path, { method: "POST", body: "{}", headers: coded }), 501);
    const timed = { ...json, "connect-timeout-ms": "soon" };
    assert.equal(await statusOf(path, { method: "POST", body: "{}", headers: timed }), 400);
  });

  it("gzips what is worth it, for those who do the same", async (t) => {
    const { url } = await startEdge(t);
    const response = await fetch(`${url}/${Probe.typeName}/Echo`, {
      method: "POST",
      body: gzipSync(JSON.stringify({ text: "a".repeat(5000) })),
      headers: {
        "content-type": "application/json",
        "content-encoding": "gzip",
        // fetch unpacks it by itself.
        "accept-encoding": "gzip",
      },
    });
    assert.equal(response.headers.get("content-encoding"), "gzip");
    assert.ok(Number(response.headers.get("content-length")) < 500);
    assert.equal(((await response.json()) as { text: string }).text.length, 5000);
    assert.equal(gunzipSync(gzipSync("x")).toString(), "x");
  });
});

async function everyKind(transport: Transport, isHttp2: boolean): Promise<void> {
  const client = createClient(Probe, transport);
  let header: Headers | undefined;
  let trailer: Headers | undefined;
  const inner = anyPack(NoteSchema, create(NoteSchema, { text: "inner" }));
  const note = await client.echo(
    { text: "ä".repeat(2000), number: -1, any: inner },
    {
      headers: { "x-note": "kept", "x-bytes-bin": "AAH/" },
      onHeader: (headers) => {
        header = headers;
      },
      onTrailer: (headers) => {
        trailer = headers;
      },
    },
  );
  assert.equal(note.text, "ä".repeat(2000));
  assert.equal(note.number, -1);
  assert.deepEqual(Buffer.from(note.any!.value), Buffer.from(inner.value));
  assert.equal(header?.get("x-note"), "kept");
  assert.equal(header?.get("x-bytes-bin"), "AAH/");
  assert.equal(trailer?.get("note"), "kept");

  const numbers: number[] = [];
  for await (const { number } of client.list({ notes: 50, bytes: 3000 })) numbers.push(number);
  assert.deepEqual(
    numbers,
    Array.from({ length: 50 }, (_, i) => i),
  );

  const collected = await client.collect(
    (async function* () {
      for (const text of ["a", "b", "c"]) yield { text };
    })(),
  );
  assert.deepEqual([collected.number, collected.text], [3, "abc"]);

  if (!isHttp2) return;
  const heard: string[] = [];
  let say: (text: string) => void = () => {};
  const talk = client.talk(
    (async function* () {
      yield { text: "0" };
      for (let i = 0; i < 3; i++) yield { text: await new Promise<string>((r) => (say = r)) };
    })(),
  );
  for await (const { text } of talk) {
    heard.push(text);
    await until("it listens", () => say !== undefined);
    say(`${heard.length}`);
  }
  assert.deepEqual(heard, ["0", "1", "2", "3"]);
}

async function failures(transport: Transport): Promise<void> {
  const client = createClient(Probe, transport);
  const failed = await errorOf(client.fail({ status: 9, message: "nö: 100 %" }));
  assert.equal(failed.code, Code.FailedPrecondition);
  assert.equal(failed.rawMessage, "nö: 100 %");
  assert.equal(failed.metadata.get("x-reason"), "told to");
  const [detail] = failed.findDetails(FailureSchema);
  assert.equal(detail?.message, "nö: 100 %");
  let count = 0;
  const after = await errorOf(
    (async () => {
      for await (const _ of client.list({ notes: 3, status: 11 })) count++;
    })(),
  );
  assert.equal(after.code, Code.OutOfRange);
  assert.equal(after.rawMessage, "after all notes");
  assert.equal(count, 3);
}

async function endings(transport: Transport, log: ProbeLog): Promise<void> {
  const client = createClient(Probe, transport);
  const before = log.ended.length;
  const late = await errorOf(client.echo({ text: "late" }, { timeoutMs: 150 }));
  assert.equal(late.code, Code.DeadlineExceeded);
  await until("the handler knows", () => log.ended.length === before + 1);
  const controller = new AbortController();
  const cancelled = await errorOf(
    (async () => {
      const { signal } = controller;
      for await (const _ of client.list({ notes: 1, hold: true }, { signal })) controller.abort();
    })(),
  );
  assert.equal(cancelled.code, Code.Canceled);
  await until("the handler knows", () => log.ended.length === before + 2);
}

async function errorOf(result: Promise<unknown>): Promise<ConnectError> {
  try {
    await result;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new assert.AssertionError({ message: "expected an error" });
}
