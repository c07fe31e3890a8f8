/** Clients and implementations of other libraries over a loopback: tests of user code without a daemon. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { koalaTransport } from "@koala/connect";
import { koalaChannel, serveGrpcJs } from "@koala/grpc-js";
import { loopback, type Mesh, RpcError, Status } from "@koala/mrpc";
import { until } from "@koala/testing";
import { NoteSchema, Probe } from "../gen/test/v1/probe_pb.ts";
import { drainStream, GrpcClient } from "../stage/grpc-client.ts";
import { rejection } from "../stage/rejection.ts";

const { echo, fail, list, collect, talk } = Probe.method;

/** The probe, without a daemon. `ended` counts calls that were given up. */
function probeMesh(ended: string[]): Mesh {
  return loopback((router) =>
    router.service(Probe, {
      echo(note, context) {
        context.responseHeader.set("x-header", context.requestHeader.get("x-key") ?? "");
        context.responseTrailer.set("x-trailer", "t");
        return note;
      },
      fail({ status, message }) {
        throw new RpcError(status as Status, message);
      },
      async *list({ notes, hold }, { signal }) {
        for (let number = 0; number < notes; number++) yield { number };
        if (!hold) return;
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        ended.push((signal.reason as RpcError).statusName);
      },
      async collect(notes) {
        let text = "";
        for await (const note of notes) text += note.text;
        return { text };
      },
      async *talk(notes, context) {
        context.sendHeader();
        yield* notes;
      },
    }),
  );
}

describe("over a loopback", { timeout: 30_000 }, () => {
  it("a client of grpc-js makes calls of every kind", async (t) => {
    const ended: string[] = [];
    const mesh = probeMesh(ended);
    const client = new GrpcClient(t, "unused", {
      channelOverride: koalaChannel("any", { mesh }),
    });
    const metadata = new grpc.Metadata();
    metadata.set("x-key", "value");
    const data = new Uint8Array(300_000).fill(3);
    const done = await client.unary(echo, { text: "hi", data }, metadata);
    assert.equal(done.details, "OK");
    assert.equal(done.reply?.text, "hi");
    assert.ok(Buffer.from(data).equals(done.reply.data));
    assert.deepEqual(done.header.get("x-header"), ["value"]);
    assert.deepEqual(done.trailer.get("x-trailer"), ["t"]);
    const failed = await client.unary(fail, { status: 9, message: "not now" });
    assert.deepEqual([failed.code, failed.details], [9, "not now"]);
    const all = await drainStream(client.serverStream(list, { notes: 40 }));
    assert.equal(all.messages.length, 40);
    const sum = new Promise<string | undefined>((resolve) => {
      const stream = client.clientStream(collect, (_error, reply) => resolve(reply?.text));
      for (const text of ["a", "b"]) stream.write(create(NoteSchema, { text }));
      stream.end();
    });
    assert.equal(await sum, "ab");
    const stream = client.bidi(talk);
    await once(stream, "metadata");
    stream.write(create(NoteSchema, { text: "ping" }));
    assert.equal(((await once(stream, "data")) as [{ text: string }])[0].text, "ping");
    const end = once(stream, "end");
    stream.end();
    await end;
    const held = client.serverStream(list, { notes: 1, hold: true });
    const over = drainStream(held);
    await once(held, "data");
    held.cancel();
    assert.equal((await over).code, Status.CANCELLED);
    await until("the handler knows", () => ended.length === 1);
    await new Promise<void>((resolve, reject) => {
      client.client.waitForReady(Date.now() + 10_000, (error) =>
        error === undefined ? resolve() : reject(error),
      );
    });
  });

  it("an implementation for grpc-js serves every client", async (t) => {
    const mesh = loopback();
    const includeDirs = [fileURLToPath(new URL("../../proto/", import.meta.url))];
    const loaded = loadSync("test/v1/probe.proto", { includeDirs });
    const implementation: grpc.UntypedServiceImplementation = {
      echo(
        call: grpc.ServerUnaryCall<{ text: string }, object>,
        reply: grpc.sendUnaryData<object>,
      ) {
        reply(null, { text: call.request.text.toUpperCase() });
      },
      list(call: grpc.ServerWritableStream<{ notes: number }, object>) {
        for (let number = 0; number < call.request.notes; number++) call.write({ number });
        call.end();
      },
    };
    await serveGrpcJs(mesh, { name: "probe" }, [
      [loaded["test.v1.Probe"] as grpc.ServiceDefinition, implementation],
    ]);
    const theirs = new GrpcClient(t, "unused", {
      channelOverride: koalaChannel("probe", { mesh }),
    });
    assert.equal((await theirs.unary(echo, { text: "one" })).reply?.text, "ONE");
    for (const client of [
      mesh.client(Probe, "probe"),
      createClient(Probe, koalaTransport("probe", { mesh })),
    ]) {
      assert.equal((await client.echo({ text: "two" })).text, "TWO");
      const numbers: number[] = [];
      for await (const { number } of client.list({ notes: 3 })) numbers.push(number);
      assert.deepEqual(numbers, [0, 1, 2]);
    }
    const ours = mesh.client(Probe, "probe");
    assert.equal((await rejection(ours.fail({}))).status, Status.UNIMPLEMENTED);
  });
});
