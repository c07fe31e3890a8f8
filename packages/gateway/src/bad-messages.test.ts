/** What requests get that are no proper calls, in each of the ways there are. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { Status } from "@koala/interface";
import { openSession, outcomeOf, request, startEdge } from "./edge-helper.test.ts";
import { enveloped } from "./ingress/envelope-reader.ts";

const echo = "/probe.v1.Probe/Echo";
const note = enveloped(0, Buffer.from([10, 2, 0x68, 0x69]));

describe("requests of gRPC that are wrong", { timeout: 60_000 }, () => {
  it("end with a status that says what was wrong", async (t) => {
    const { port } = await startEdge(t);
    const session = openSession(t, port);
    const long = Buffer.alloc(5);
    long.writeUInt32BE(64 * 1024 + 1, 1);
    const endless = Buffer.from([0, 0xff, 0xff, 0xff, 0xff]);
    const gzip = { "grpc-encoding": "gzip" };
    const bomb = enveloped(1, gzipSync(Buffer.alloc(10_000_000)));
    const cases: [string, Uint8Array, Record<string, string>, Status, RegExp][] = [
      ["none", Buffer.alloc(0), {}, Status.UNIMPLEMENTED, /the request has none/],
      ["two", Buffer.concat([note, note]), {}, Status.UNIMPLEMENTED, /more than one/],
      ["half a head", note.subarray(0, 3), {}, Status.INTERNAL, /middle of a message/],
      ["half a message", note.subarray(0, 7), {}, Status.INTERNAL, /middle of a message/],
      ["long", long, {}, Status.RESOURCE_EXHAUSTED, /65537 bytes .* message in \[limits\]/],
      ["endless", endless, {}, Status.RESOURCE_EXHAUSTED, /4294967295 bytes/],
      ["flags", enveloped(0x82, note), {}, Status.INTERNAL, /flags 130/],
      ["marked", enveloped(1, note), {}, Status.INTERNAL, /names no compression/],
      ["no gzip", enveloped(1, note), gzip, Status.INTERNAL, /said to be gzip is not/],
      ["bomb", bomb, gzip, Status.RESOURCE_EXHAUSTED, /more than 65536 bytes/],
      [
        "snappy",
        note,
        { "grpc-encoding": "snappy" },
        Status.UNIMPLEMENTED,
        /"snappy" is not known/,
      ],
      ["no protobuf", enveloped(0, Buffer.from([0xff])), {}, Status.INVALID_ARGUMENT, /no note/],
      ["timeout", note, { "grpc-timeout": "1h" }, Status.INVALID_ARGUMENT, /grpc-timeout/],
      ["long timeout", note, { "grpc-timeout": "123456789S" }, Status.INVALID_ARGUMENT, /timeout/],
      ["binary", note, { "x-a-bin": "***" }, Status.INVALID_ARGUMENT, /x-a-bin: expected base64/],
    ];
    for (const [name, body, headers, status, message] of cases) {
      const response = await request(session, echo, body, headers);
      const [found, text] = outcomeOf(response);
      assert.equal(response.headers[":status"], 200, name);
      assert.equal(found, status, `${name}: ${text}`);
      assert.match(decodeURIComponent(text), message, name);
      if (name === "snappy") assert.equal(response.headers["grpc-accept-encoding"], "gzip");
    }
    const nobody = await request(session, "/no.such.Service/Echo", note);
    assert.equal(outcomeOf(nobody)[0], Status.UNIMPLEMENTED);
    const nothing = await request(session, "/probe.v1.Probe/Nothing", note);
    assert.equal(outcomeOf(nothing)[0], Status.UNIMPLEMENTED);
    assert.equal((await request(session, "/probe.v1.Probe", note)).headers[":status"], 404);
    const good = await request(session, echo, note);
    assert.deepEqual([outcomeOf(good)[0], good.body], [Status.OK, note]);
  });

  it("end when they stand still", async (t) => {
    const { port, ingress } = await startEdge(t, { bodyMs: 100 });
    const session = openSession(t, port);
    const response = await request(session, echo, undefined);
    const [status, message] = outcomeOf(response);
    assert.equal(status, Status.DEADLINE_EXCEEDED);
    assert.match(message, /body_timeout/);
    const timed = await request(session, echo, undefined, { "grpc-timeout": "20m" });
    assert.match(outcomeOf(timed)[1], /before its request was complete/);
    assert.equal(ingress.calls.failed, 2);
  });

  it("are read to the end in base64, with padding wherever it is", async (t) => {
    const { port } = await startEdge(t);
    const session = openSession(t, port);
    const text = note.subarray(0, 4).toString("base64") + note.subarray(4).toString("base64");
    const type = { "content-type": "application/grpc-web-text" };
    const { body, headers } = await request(session, echo, Buffer.from(text), type);
    assert.equal(headers["content-type"], "application/grpc-web-text");
    // Each part was encoded for itself.
    const parts = body.toString().match(/[^=]+=*/g) ?? [];
    const bytes = Buffer.concat(parts.map((part) => Buffer.from(part, "base64")));
    assert.deepEqual(bytes.subarray(0, note.length), note);
    assert.equal(bytes[note.length], 0x80);
    assert.match(bytes.subarray(note.length + 5).toString(), /^grpc-status: 0\r\n/);
  });

  it("get an answer for browsers, if they come from where they may", async (t) => {
    const { port } = await startEdge(t);
    const preflight = (origin: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}${echo}`, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-headers": "content-type,x-own" },
      });
    const allowed = await preflight("https://page.example");
    assert.equal(allowed.status, 204);
    assert.equal(allowed.headers.get("access-control-allow-origin"), "https://page.example");
    assert.equal(allowed.headers.get("access-control-allow-headers"), "content-type,x-own");
    assert.equal((await preflight("https://other.example")).status, 403);
  });
});
