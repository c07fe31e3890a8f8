/** Clients of grpc-js reach services of the mesh through the ingress of a gateway. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { NoteSchema, Probe } from "../gen/test/v1/probe_pb.ts";
import { startCluster, startDaemon, untilKnown } from "../stage/cluster.ts";
import { serveProbe, startGateway, statusDetails } from "../stage/gateway.ts";
import { drainStream, GrpcClient } from "../stage/grpc-client.ts";
import { startKitchen } from "../stage/kitchen.ts";

const { echo, fail, list, collect, talk } = Probe.method;
const { status } = grpc;

describe("gRPC through an ingress", { timeout: 180_000 }, () => {
  it("calls a service of another host, with metadata both ways", async (t) => {
    const { a, b } = await startCluster(t);
    await serveProbe(t, b);
    await untilKnown(a, "probe");
    const { address } = await startGateway(t, a);
    const client = new GrpcClient(t, address);
    const metadata = new grpc.Metadata();
    metadata.set("x-text", "ümläut".normalize("NFC").replaceAll(/[^a-z]/g, "_"));
    metadata.set("x-bytes-bin", Buffer.from([0, 1, 254, 255]));
    metadata.add("x-twice-bin", Buffer.from([1]));
    metadata.add("x-twice-bin", Buffer.from([2, 3]));
    const { code, reply, header, trailer } = await client.unary(
      echo,
      { text: "across", data: new Uint8Array(300_000).fill(7) },
      metadata,
    );
    assert.equal(code, status.OK);
    assert.equal(reply?.text, "across");
    assert.equal(reply.data.length, 300_000);
    assert.deepEqual(header.get("x-text"), ["_ml_ut"]);
    assert.deepEqual(header.get("x-bytes-bin"), [Buffer.from([0, 1, 254, 255])]);
    assert.deepEqual(header.get("x-twice-bin"), [Buffer.from([1]), Buffer.from([2, 3])]);
    assert.deepEqual(trailer.get("text"), ["_ml_ut"]);
    assert.deepEqual(trailer.get("bytes-bin"), [Buffer.from([0, 1, 254, 255])]);
  });

  it("brings every kind of method", async (t) => {
    const daemon = await startDaemon(t);
    await serveProbe(t, daemon);
    const { address } = await startGateway(t, daemon);
    const client = new GrpcClient(t, address);
    const { messages, code } = await drainStream(
      client.serverStream(list, { notes: 200, bytes: 1000 }),
    );
    assert.equal(code, status.OK);
    assert.deepEqual(
      messages.map(({ number }) => number),
      Array.from({ length: 200 }, (_, i) => i),
    );

    const collected = new Promise<{ number: number; text: string } | undefined>((resolve) => {
      const stream = client.clientStream(collect, (_error, reply) => resolve(reply));
      for (const text of ["a", "b", "c"]) stream.write(create(NoteSchema, { text }));
      stream.end();
    });
    assert.deepEqual([(await collected)?.number, (await collected)?.text], [3, "abc"]);

    const stream = client.bidi(talk);
    const heard: string[] = [];
    // The headers come before anything is said.
    await new Promise((resolve) => stream.once("metadata", resolve));
    stream.on("data", ({ text }) => {
      heard.push(text);
      if (heard.length < 5) stream.write(create(NoteSchema, { text: `${heard.length}` }));
      else stream.end();
    });
    const ended = new Promise((resolve) => stream.once("end", resolve));
    stream.write(create(NoteSchema, { text: "0" }));
    await ended;
    assert.deepEqual(heard, ["0", "1", "2", "3", "4"]);
  });

  it("says how calls end: status, text, details, trailers, and who decided", async (t) => {
    const daemon = await startDaemon(t);
    await serveProbe(t, daemon);
    const { address } = await startGateway(t, daemon);
    const client = new GrpcClient(t, address);
    const failed = await client.unary(fail, { status: 7, message: "nö: 100 %\n" });
    assert.equal(failed.code, status.PERMISSION_DENIED);
    assert.equal(failed.details, "nö: 100 %\n");
    assert.deepEqual(failed.trailer.get("x-reason"), ["told to"]);
    assert.deepEqual(failed.trailer.get("grpc-status-details-bin"), [
      Buffer.from(statusDetails(7, "nö: 100 %\n")),
    ]);
    assert.deepEqual(failed.trailer.get("koala-origin"), []);

    const after = await drainStream(client.serverStream(list, { notes: 3, status: 5 }));
    assert.equal(after.messages.length, 3);
    assert.equal(after.code, status.NOT_FOUND);
    assert.equal(after.details, "after all notes");

    const stream = client.bidi(talk);
    const ended = drainStream(stream);
    stream.write(create(NoteSchema, { text: "fail", number: 10 }));
    assert.equal((await ended).code, status.ABORTED);

    const unknown = await client.unary(Kitchen.method.echo, { text: "nobody" });
    assert.equal(unknown.code, status.UNIMPLEMENTED);
    assert.match(unknown.details, /nobody offers the service test\.v1\.Kitchen/);
    assert.deepEqual(unknown.trailer.get("koala-origin"), ["local-daemon"]);
  });

  it("ends calls on time, and when the caller wants no more", async (t) => {
    const daemon = await startDaemon(t);
    const log = await serveProbe(t, daemon);
    const { address } = await startGateway(t, daemon);
    const client = new GrpcClient(t, address);
    const late = await client.unary(echo, { text: "late" }, new grpc.Metadata(), {
      deadline: Date.now() + 300,
    });
    assert.equal(late.code, status.DEADLINE_EXCEEDED);
    await until("the handler knows", () => log.ended.length === 1);

    const stream = client.serverStream(list, { notes: 1, hold: true });
    const ended = drainStream(stream);
    await new Promise((resolve) => stream.once("data", resolve));
    stream.cancel();
    assert.equal((await ended).code, status.CANCELLED);
    await until("the handler knows", () => log.ended.length === 2);
    assert.equal(log.ended[1], "CANCELLED");
  });

  it("stops a writer whose reader does not read", async (t) => {
    const daemon = await startDaemon(t);
    const log = await serveProbe(t, daemon);
    const { address } = await startGateway(t, daemon);
    const client = new GrpcClient(t, address);
    const notes = 4000;
    const stream = client.serverStream(list, { notes, bytes: 16 * 1024 });
    let read = 0;
    await new Promise<void>((resolve) => {
      stream.on("data", () => {
        if (++read === 1) {
          stream.pause();
          resolve();
        }
      });
    });
    // It has come to rest when nothing was made while other calls went through.
    let made = -1;
    await until("the writer stands still", async () => {
      const before = log.made;
      for (let i = 0; i < 20; i++) await client.unary(echo, { text: "meanwhile" });
      made = log.made;
      return made === before;
    });
    assert.ok(made < notes / 2, `${made} of ${notes} notes are on their way to nobody`);
    const ended = new Promise((resolve) => stream.once("end", resolve));
    stream.resume();
    await ended;
    assert.equal(read, notes);
  });

  it("finds services by header, by route, and when they come later", async (t) => {
    const daemon = await startDaemon(t);
    const { address } = await startGateway(t, daemon, [
      ...["--ingress", "127.0.0.1:0", "--route", `${Kitchen.typeName}=second`],
    ]);
    const client = new GrpcClient(t, address);
    const { echo: order, who } = Kitchen.method;
    const tooEarly = await client.unary(order, { text: "early" });
    assert.equal(tooEarly.code, status.UNAVAILABLE);
    const first = await startKitchen(t, daemon, { name: "first" });
    const second = await startKitchen(t, daemon, { name: "second" });
    const pidOf = async (target?: string): Promise<number | undefined> => {
      const metadata = new grpc.Metadata();
      if (target !== undefined) metadata.set("koala-target", target);
      return (await client.unary(who, {}, metadata)).reply?.pid;
    };
    await until("the route is served", async () => (await pidOf()) === second.pid);
    assert.equal(await pidOf("first"), first.pid);
    assert.equal(await pidOf("second"), second.pid);
  });

  it("is an app to policies, whose denials say which rule it was", async (t) => {
    const config = `
      [[policy]]
      name = "edge"
      use = "acl"
      match = { caller = "koala-gateway", method = "Fail" }
      config = { default = "deny" }
    `;
    const daemon = await startDaemon(t, { config });
    await serveProbe(t, daemon);
    const { address } = await startGateway(t, daemon);
    const client = new GrpcClient(t, address);
    assert.equal((await client.unary(echo, { text: "allowed" })).code, status.OK);
    const { code, trailer } = await client.unary(fail, {});
    assert.equal(code, status.PERMISSION_DENIED);
    assert.deepEqual(trailer.get("koala-policy"), ["edge"]);
    assert.deepEqual(trailer.get("koala-origin"), ["policy"]);
    assert.equal(trailer.get("koala-request-id").length, 1);
  });

  it("keeps its connections and calls while the daemon is replaced", async (t) => {
    const daemon = await startDaemon(t);
    await serveProbe(t, daemon);
    const { address } = await startGateway(t, daemon);
    const client = new GrpcClient(t, address);
    const stream = client.bidi(talk);
    const heard: string[] = [];
    stream.on("data", ({ text }) => void heard.push(text));
    stream.write(create(NoteSchema, { text: "before" }));
    await until("an answer", () => heard.length === 1);
    const { failed } = await daemon.upgrade();
    assert.equal(failed, 0);
    stream.write(create(NoteSchema, { text: "after" }));
    await until("another answer", () => heard.length === 2);
    assert.equal((await client.unary(echo, { text: "new" })).reply?.text, "new");
    const ended = new Promise((resolve) => stream.once("end", resolve));
    stream.end();
    await ended;
    assert.deepEqual(heard, ["before", "after"]);
  });
});
