import assert from "node:assert/strict";
import { test } from "node:test";
import { fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { completerFor } from "./calls/message-init.ts";
import { Echo, SayReplySchema, SayRequestSchema } from "./gen/echo/v1/echo_pb.ts";
import { loopback } from "./loopback/loopback.ts";
import type { Mesh } from "./mesh/mesh.ts";
import { failure, Status, startDaemon, startEcho, startMesh } from "./mesh/mesh-helper.test.ts";
import { rawClient, rawServe } from "./raw.ts";

type SayRequest = Parameters<typeof toBinary<typeof SayRequestSchema>>[1];
const complete = completerFor(SayRequestSchema) as (init: object) => SayRequest;

function encode(init: object): Uint8Array {
  return toBinary(SayRequestSchema, complete(init));
}

test("bytes of protobuf are answered with bytes of protobuf", async (t) => {
  const { mesh, daemon } = await startEcho(t);
  const raw = rawClient(mesh, Echo, "echo");
  const body = new Uint8Array(100_000).fill(7);
  const reply = await raw.unary(Echo.method.say, encode({ text: "x", number: 4, body }));
  const { text, number, body: back } = fromBinary(SayReplySchema, reply);
  assert.equal(text, "say x");
  assert.equal(number, 5);
  assert.ok(Buffer.from(body).equals(back));
  assert.deepEqual(daemon.violations, []);
});

test("a raw server answers clients with messages, and raw ones", async (t) => {
  const daemon = startDaemon(t);
  const mesh = await startMesh(t, daemon);
  await rawServe(mesh, { name: "raw" }, Echo, {
    say(request, context) {
      const { text } = fromBinary(SayRequestSchema, request);
      context.responseMetadata = [["n", String(request.length)]];
      return toBinary(SayReplySchema, {
        $typeName: "echo.v1.SayReply",
        text: `raw ${text}`,
        number: 0,
        body: new Uint8Array(0),
        tags: [],
      });
    },
  });
  assert.equal((await mesh.client(Echo, "raw").say({ text: "a" })).text, "raw a");
  const raw = rawClient(mesh, Echo, "raw");
  const request = encode({ text: "bcd" });
  let trailers: unknown;
  const reply = await raw.unary(Echo.method.say, request, {
    onTrailerEntries: (entries) => {
      trailers = entries;
    },
  });
  assert.equal(fromBinary(SayReplySchema, reply).text, "raw bcd");
  assert.deepEqual(trailers, [["n", String(request.length)]]);
  const missing = await failure(raw.unary(Echo.method.missing, request));
  assert.equal(missing.status, Status.UNIMPLEMENTED);
});

test("the stream form of a unary method has one message each way", async (t) => {
  const { mesh } = await startEcho(t);
  const raw = rawClient(mesh, Echo, "echo");
  const replies: string[] = [];
  for await (const reply of raw.stream(Echo.method.say, [encode({ text: "one" })])) {
    replies.push(fromBinary(SayReplySchema, reply).text);
  }
  assert.deepEqual(replies, ["say one"]);
  const none = raw.stream(Echo.method.say, [])[Symbol.asyncIterator]();
  assert.equal((await failure(none.next())).status, Status.INTERNAL);
});

test("what is no message fails the call", async (t) => {
  const { mesh } = await startEcho(t);
  const raw = rawClient(mesh, Echo, "echo");
  const malformed = await failure(raw.unary(Echo.method.say, new Uint8Array([0x0a, 0x7f])));
  assert.equal(malformed.status, Status.INVALID_ARGUMENT);
  assert.match(malformed.reason, /echo\.v1\.Echo\/Say: request/);
  const object = {} as Uint8Array;
  assert.equal((await failure(raw.unary(Echo.method.say, object))).status, Status.INVALID_ARGUMENT);
});

test("raw calls need a mesh of this library", () => {
  assert.throws(() => rawClient({} as Mesh, Echo, "echo"), { code: "ERR_RAW_MESH" });
});

test("raw clients and raw servers meet clients and servers with messages in a loopback", async () => {
  const mesh = loopback((router) =>
    router.service(Echo, {
      say: ({ text }) => ({ text: `say ${text}` }),
      async *watch({ number }) {
        for (let i = 0; i < number; i++) yield { number: i };
      },
      async sum(requests) {
        let number = 0;
        for await (const request of requests) number += request.number;
        return { number };
      },
    }),
  );
  await rawServe(mesh, { name: "raw" }, Echo, { say: (request) => request });
  const raw = rawClient(mesh, Echo, "echo");
  const { say, watch, sum } = Echo.method;
  const read = (reply: Uint8Array): MessageShape<typeof SayReplySchema> =>
    fromBinary(SayReplySchema, reply);
  assert.equal(read(await raw.unary(say, encode({ text: "x" }))).text, "say x");
  const numbers: number[] = [];
  for await (const reply of raw.stream(watch, [encode({ number: 3 })])) {
    numbers.push(read(reply).number);
  }
  for await (const reply of raw.stream(sum, [encode({ number: 3 }), encode({ number: 4 })])) {
    numbers.push(read(reply).number);
  }
  assert.deepEqual(numbers, [0, 1, 2, 7]);
  assert.equal((await mesh.client(Echo, "raw").say({ text: "as it came" })).text, "as it came");
  const both = rawClient(mesh, Echo, "raw");
  assert.equal(read(await both.unary(say, encode({ text: "bytes" }))).text, "bytes");
  const malformed = await failure(raw.unary(say, new Uint8Array([0x0a, 0x7f])));
  assert.equal(malformed.status, Status.INVALID_ARGUMENT);
  assert.match(malformed.reason, /echo\.v1\.Echo\/Say: request/);
  const missing = await failure(raw.unary(Echo.method.missing, encode({})));
  assert.equal(missing.status, Status.UNIMPLEMENTED);
});
