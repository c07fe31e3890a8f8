/** Servers of gRPC outside of the mesh are called as if they were in it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { create, type Message } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { type Client, type Mesh, RpcError, Status } from "@koala/mrpc";
import { serviceSchemaOf } from "@koala/schema";
import { until } from "@koala/testing";
import { NoteSchema, Probe } from "../gen/test/v1/probe_pb.ts";
import { atEnd, createFolder, startDaemon } from "../stage/cluster.ts";
import { serveProbe, startGateway } from "../stage/gateway.ts";
import { definitionOf } from "../stage/grpc-client.ts";
import { connectTo } from "../stage/kitchen.ts";

type ProbeCalls = Client<typeof Probe>;

async function untilOffered(mesh: Mesh, name: string): Promise<void> {
  await until(`${name} is offered`, async () => {
    return (await mesh.services()).some((offer) => offer.name === name);
  });
}

async function errorOf(result: Promise<unknown>): Promise<RpcError> {
  try {
    await result;
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "expected an error" });
}

async function everyKind(client: ProbeCalls): Promise<void> {
  let header: Headers | undefined;
  let trailer: Headers | undefined;
  const data = new Uint8Array(200_000).fill(3);
  const note = await client.echo(
    { text: "out", data },
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
  assert.equal(note.text, "out");
  assert.equal(note.data.length, data.length);
  assert.equal(header?.get("x-note"), "kept");
  assert.equal(header?.get("x-bytes-bin"), "AAH/");
  assert.equal(trailer?.get("note"), "kept");

  const numbers: number[] = [];
  for await (const { number } of client.list({ notes: 100, bytes: 2000 })) numbers.push(number);
  assert.equal(numbers.length, 100);
  const collected = await client.collect([{ text: "a" }, { text: "b" }]);
  assert.deepEqual([collected.number, collected.text], [2, "ab"]);
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
    say(`${heard.length}`);
  }
  assert.deepEqual(heard, ["0", "1", "2", "3"]);
}

/** A server of grpc-js with just enough of the probe. */
async function startGrpcServer(t: TestContext, port = 0): Promise<{ port: number; stop(): void }> {
  const server = new grpc.Server();
  server.addService(definitionOf(Probe), {
    echo: (call: grpc.ServerUnaryCall<Message, Message>, done: grpc.sendUnaryData<Message>): void =>
      done(null, call.request),
    fail: (_call: unknown, done: grpc.sendUnaryData<Message>): void => {
      const metadata = new grpc.Metadata();
      metadata.set("x-reason", "told to");
      done({ code: grpc.status.ABORTED, details: "nö: 100 %", metadata });
    },
    talk: (call: grpc.ServerDuplexStream<Message, Message>): void => {
      call.on("data", (note: Message) => void call.write(note));
      call.on("end", () => call.end());
    },
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, it) => {
      if (error === null) resolve(it);
      else reject(error);
    });
  });
  atEnd(t, () => server.forceShutdown());
  return { port: bound, stop: () => server.forceShutdown() };
}

describe("an egress", { timeout: 120_000 }, () => {
  it("learns from the server what it has, and brings every kind of call", async (t) => {
    const outside = await startDaemon(t);
    const log = await serveProbe(t, outside);
    const { address } = await startGateway(t, outside);
    const daemon = await startDaemon(t);
    await startGateway(t, daemon, ["--egress", `far=${address}`, "--ingress", "127.0.0.1:0"]);
    const mesh = await connectTo(t, daemon);
    await untilOffered(mesh, "far");
    const client = mesh.client(Probe, "far");
    await everyKind(client);

    const failed = await errorOf(client.fail({ status: 7, message: "nö: 100 %" }));
    assert.equal(failed.status, Status.PERMISSION_DENIED);
    assert.equal(failed.reason, "nö: 100 %");
    assert.equal(failed.origin, "remote-app");
    assert.ok(failed.details.length > 0);
    assert.deepEqual(failed.metadata[0], ["x-reason", "told to"]);

    const late = await errorOf(client.echo({ text: "late" }, { timeoutMs: 200 }));
    assert.equal(late.status, Status.DEADLINE_EXCEEDED);
    await until("the handler knows", () => log.ended.length === 1);
    for await (const _ of client.list({ notes: 1, hold: true })) break;
    await until("the handler knows", () => log.ended.length === 2);
    assert.equal(log.ended[1], "CANCELLED");
  });

  it("takes descriptors from a file, and comes back when the server does", async (t) => {
    const folder = createFolder(t);
    writeFileSync(join(folder, "probe.binpb"), serviceSchemaOf(Probe).descriptorSet);
    const first = await startGrpcServer(t);
    const config = `[[egress]]\nname = "js"\naddress = "127.0.0.1:${first.port}"\ndescriptors = "${folder}/probe.binpb"\n`;
    const daemon = await startDaemon(t, { config });
    const mesh = await connectTo(t, daemon);
    await untilOffered(mesh, "js");
    const client = mesh.client(Probe, "js");
    assert.equal((await client.echo({ text: "js" })).text, "js");
    const failed = await errorOf(client.fail({}));
    assert.deepEqual([failed.status, failed.reason], [Status.ABORTED, "nö: 100 %"]);
    const none = await errorOf(client.collect([{}]));
    assert.equal(none.status, Status.UNIMPLEMENTED);
    first.stop();
    await until("it is missed", async () => {
      try {
        await client.echo({ text: "gone" });
        return false;
      } catch (error) {
        return error instanceof RpcError && error.status === Status.UNAVAILABLE;
      }
    });
    await startGrpcServer(t, first.port);
    await until("it is back", async () => {
      try {
        return (await client.echo(create(NoteSchema, { text: "back" }))).text === "back";
      } catch {
        return false;
      }
    });
  });
});
