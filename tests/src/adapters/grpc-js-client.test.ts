/** What clients of grpc-js can do over a channel of Koala, beside the interoperability cases. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it, type TestContext } from "node:test";
import { create } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { type KoalaChannelOptions, koalaChannel } from "@koala/grpc-js";
import { RpcError } from "@koala/mrpc";
import { until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { NoteSchema, Probe } from "../gen/test/v1/probe_pb.ts";
import { askAdmin } from "../stage/admin.ts";
import { atEnd, type Daemon, startDaemon } from "../stage/cluster.ts";
import { serveProbe } from "../stage/gateway.ts";
import { drainStream, GrpcClient } from "../stage/grpc-client.ts";
import { connectTo } from "../stage/kitchen.ts";
import { createShop } from "../stage/shop.ts";

const { echo, fail, list, collect, talk } = Probe.method;
const { status, connectivityState: states } = grpc;

/** A client of the probe at a daemon, on a connection of its own. */
async function clientAt(
  test: TestContext,
  daemon: Daemon,
  options: KoalaChannelOptions & Pick<grpc.ClientOptions, "interceptors"> = {},
): Promise<GrpcClient> {
  const { interceptors = [], ...rest } = options;
  const mesh = await connectTo(test, daemon);
  return new GrpcClient(test, "unused", {
    channelOverride: koalaChannel("probe", { mesh, ...rest }),
    interceptors,
  });
}

describe("a client of grpc-js over Koala", { timeout: 120_000 }, () => {
  it("carries metadata and bytes both ways, and says how calls fail", async (t) => {
    const daemon = await startDaemon(t);
    await serveProbe(t, daemon);
    const client = await clientAt(t, daemon);
    const metadata = new grpc.Metadata();
    metadata.set("x-text", "value, with commas");
    metadata.add("x-twice-bin", Buffer.from([1]));
    metadata.add("x-twice-bin", Buffer.from([2, 255]));
    const done = await client.unary(echo, { text: "hi", data: new Uint8Array(300_000) }, metadata);
    assert.equal(done.code, status.OK);
    assert.equal(done.reply?.data.length, 300_000);
    assert.deepEqual(done.header.get("x-text"), ["value, with commas"]);
    assert.deepEqual(done.trailer.get("twice-bin"), [Buffer.from([1]), Buffer.from([2, 255])]);

    const failed = await client.unary(fail, { status: 7, message: "nö" });
    assert.equal(failed.code, status.PERMISSION_DENIED);
    assert.equal(failed.details, "nö");
    assert.deepEqual(failed.trailer.get("x-reason"), ["told to"]);
    const [details] = failed.trailer.get("grpc-status-details-bin");
    // A `google.rpc.Status` with code 7.
    assert.deepEqual([...(details as Buffer).subarray(0, 2)], [8, 7]);
    assert.deepEqual(failed.trailer.get("koala-origin"), []);

    const after = await drainStream(client.serverStream(list, { notes: 3, status: 5 }));
    assert.equal(after.messages.length, 3);
    assert.equal(after.code, status.NOT_FOUND);
    assert.equal(after.details, "after all notes");
  });

  it("says who is not there", async (t) => {
    const daemon = await startDaemon(t);
    const client = await clientAt(t, daemon);
    const nobody = await client.unary(echo, {});
    assert.equal(nobody.code, status.UNAVAILABLE);
    assert.match(nobody.details, /nobody offers "probe"/);
    assert.deepEqual(nobody.trailer.get("koala-origin"), ["local-daemon"]);
    await serveProbe(t, daemon);
    assert.equal((await client.unary(echo, { text: "now" })).reply?.text, "now");
    const other = await client.unary(Kitchen.method.echo, {});
    assert.equal(other.code, status.UNIMPLEMENTED);
    assert.match(
      other.details,
      /"probe" does not offer the service test\.v1\.Kitchen; it has test/,
    );
    const noDaemon = new GrpcClient(t, "unused", {
      channelOverride: koalaChannel("probe", { prefix: `${daemon.prefix}/none`, waitMs: 50 }),
    });
    const away = await noDaemon.unary(echo, {});
    assert.equal(away.code, status.UNAVAILABLE);
    assert.match(away.details, /no daemon at/);
  });

  it("waits for a server with waitForReady, and no longer than its deadline", async (t) => {
    const daemon = await startDaemon(t);
    const client = await clientAt(t, daemon);
    const metadata = new grpc.Metadata({ waitForReady: true });
    const late = await client.unary(echo, {}, metadata, { deadline: Date.now() + 50 });
    assert.equal(late.code, status.DEADLINE_EXCEEDED);
    const waiting = client.unary(echo, { text: "patient" }, metadata);
    await serveProbe(t, daemon);
    assert.equal((await waiting).reply?.text, "patient");
  });

  it("tells handlers of deadlines and of cancelling", async (t) => {
    const daemon = await startDaemon(t);
    const log = await serveProbe(t, daemon);
    const client = await clientAt(t, daemon);
    const late = await client.unary(echo, { text: "late" }, new grpc.Metadata(), {
      deadline: new Date(Date.now() + 300),
    });
    assert.equal(late.code, status.DEADLINE_EXCEEDED);
    await until("the handler knows", () => log.ended.length === 1);

    const passed = await client.unary(echo, {}, new grpc.Metadata(), { deadline: Date.now() - 1 });
    assert.equal(passed.code, status.DEADLINE_EXCEEDED);

    const stream = client.serverStream(list, { notes: 1, hold: true });
    const ended = drainStream(stream);
    await once(stream, "data");
    stream.cancel();
    assert.equal((await ended).code, status.CANCELLED);
    await until("the handler knows", () => log.ended.length === 2);
    assert.deepEqual(log.ended, ["DEADLINE_EXCEEDED", "CANCELLED"]);
  });

  it("ends a stream on time that nobody reads", async (t) => {
    const daemon = await startDaemon(t);
    await serveProbe(t, daemon);
    const client = await clientAt(t, daemon);
    const deadline = Date.now() + 300;
    const stream = client.serverStream(list, { notes: 100, hold: true }, { deadline });
    stream.on("error", () => {});
    const end = await new Promise<grpc.StatusObject>((resolve) => stream.on("status", resolve));
    assert.equal(end.code, status.DEADLINE_EXCEEDED);
  });

  it("stops the server when it does not read, and is stopped when the server does not", async (t) => {
    const daemon = await startDaemon(t);
    const log = await serveProbe(t, daemon);
    const mesh = await connectTo(t, daemon);
    let taken = 0;
    let letRead: () => void = () => {};
    const mayRead = new Promise<void>((resolve) => {
      letRead = resolve;
    });
    await mesh.serve({ name: "slow" }, (router) =>
      router.service(Probe, {
        async collect(notes) {
          await mayRead;
          for await (const _ of notes) taken++;
          return { number: taken };
        },
      }),
    );
    const client = await clientAt(t, daemon);
    const notes = 20_000;
    const stream = client.serverStream(list, { notes, bytes: 1000 });
    await once(stream, "readable");
    await settled("the server pauses", () => log.made);
    assert.ok(log.made < notes, `${log.made} notes made`);
    assert.equal((await drainStream(stream)).messages.length, notes);

    const slow = new GrpcClient(t, "unused", { channelOverride: koalaChannel("slow", { mesh }) });
    let sent = 0;
    const reply = new Promise<number | undefined>((resolve) => {
      const requests = slow.clientStream(collect, (_error, value) => resolve(value?.number));
      const note = create(NoteSchema, { data: new Uint8Array(10_000) });
      const send = (): void => {
        while (sent < 1000) {
          sent++;
          if (!requests.write(note)) {
            requests.once("drain", send);
            break;
          }
        }
        if (sent === 1000 && !requests.writableEnded) requests.end();
      };
      send();
    });
    await settled("the client pauses", () => sent);
    assert.ok(sent < 1000, `${sent} notes sent to who does not read`);
    letRead();
    assert.equal(await reply, 1000);
  });

  it("runs interceptors, and lets them see everything in order", async (t) => {
    const daemon = await startDaemon(t);
    await serveProbe(t, daemon);
    const seen: string[] = [];
    const interceptor: grpc.Interceptor = (options, next) =>
      new grpc.InterceptingCall(next(options), {
        start(metadata, _listener, start) {
          seen.push("start");
          metadata.set("x-added", "by the interceptor");
          start(metadata, {
            onReceiveMetadata(header, pass) {
              seen.push(`header ${header.get("x-added")}`);
              pass(header);
            },
            onReceiveMessage(message, pass) {
              seen.push("message");
              // Later than the status comes.
              setTimeout(() => pass(message), 20);
            },
            onReceiveStatus(end, pass) {
              seen.push(`status ${end.code}`);
              pass(end);
            },
          });
        },
        sendMessage(message, send) {
          seen.push("request");
          send(message);
        },
        halfClose(close) {
          seen.push("half close");
          close();
        },
      });
    const client = await clientAt(t, daemon, { interceptors: [interceptor] });
    const { reply } = await client.unary(echo, { text: "through" });
    assert.equal(reply?.text, "through");
    assert.deepEqual(seen, [
      "start",
      "request",
      "half close",
      "header by the interceptor",
      "message",
      "status 0",
    ]);
  });

  it("asks call credentials for metadata, and fails when they have none", async (t) => {
    const daemon = await startDaemon(t);
    await serveProbe(t, daemon);
    const client = await clientAt(t, daemon);
    const asked: unknown[] = [];
    const good = grpc.credentials.createFromMetadataGenerator((options, callback) => {
      asked.push(options);
      const metadata = new grpc.Metadata();
      metadata.set("x-token", "secret");
      setImmediate(() => callback(null, metadata));
    });
    const bad = grpc.credentials.createFromMetadataGenerator((_options, callback) => {
      callback(new Error("no token today"));
    });
    const own = new grpc.Metadata();
    const { header } = await client.unary(echo, {}, own, { credentials: good });
    assert.deepEqual(header.get("x-token"), ["secret"]);
    assert.deepEqual(own.get("x-token"), []);
    assert.deepEqual(asked, [{ method_name: "Echo", service_url: "https://probe/test.v1.Probe" }]);
    const refused = await client.unary(echo, {}, own, { credentials: bad });
    assert.equal(refused.code, status.UNAUTHENTICATED);
    assert.match(refused.details, /no token today/);
  });

  it("is ready when somebody offers the target, and watches that", async (t) => {
    const daemon = await startDaemon(t);
    const mesh = await connectTo(t, daemon);
    const channel = koalaChannel("probe", { prefix: daemon.prefix });
    atEnd(t, () => channel.close());
    const next = (state: grpc.connectivityState): Promise<Error | undefined> =>
      new Promise((resolve) => {
        channel.watchConnectivityState(state, Date.now() + 20_000, resolve);
      });
    assert.equal(channel.getConnectivityState(false), states.IDLE);
    assert.equal(channel.getConnectivityState(true), states.CONNECTING);
    await next(states.CONNECTING);
    await until("the channel knows", () => {
      return channel.getConnectivityState(false) === states.TRANSIENT_FAILURE;
    });
    const change = next(states.TRANSIENT_FAILURE);
    const server = await mesh.serve({ name: "probe" }, (router) => router.service(Probe, {}));
    assert.equal(await change, undefined);
    assert.equal(channel.getConnectivityState(false), states.READY);
    const gone = next(states.READY);
    await server.close();
    assert.equal(await gone, undefined);
    const error = await new Promise<Error | undefined>((resolve) => {
      channel.watchConnectivityState(states.TRANSIENT_FAILURE, Date.now() + 10, resolve);
    });
    assert.ok(error instanceof Error);
    channel.close();
    assert.equal(channel.getConnectivityState(true), states.SHUTDOWN);
    assert.throws(
      () =>
        new grpc.Client("-", grpc.credentials.createInsecure(), {
          channelOverride: channel,
        }).makeBidiStreamRequest("/a/B", Buffer.from, String),
      /closed/,
    );
  });

  it("lets calls end that were there when it was closed", async (t) => {
    const daemon = await startDaemon(t);
    await serveProbe(t, daemon);
    const client = new GrpcClient(t, "unused", {
      channelOverride: koalaChannel("probe", { prefix: daemon.prefix, name: "closing" }),
    });
    const apps = async (): Promise<number> =>
      (await askAdmin(daemon.prefix, "/v1/apps")).apps.filter(({ name }) => name === "closing")
        .length;
    const stream = client.bidi(talk);
    const first = once(stream, "data");
    stream.write(create(NoteSchema, { text: "one" }));
    await first;
    client.client.close();
    const ended = drainStream(stream);
    stream.end(create(NoteSchema, { text: "two" }));
    const { messages, code } = await ended;
    assert.deepEqual([messages.map(({ text }) => text), code], [["two"], status.OK]);
    await until("the connection ends", async () => (await apps()) === 0);
  });

  it("learns of a new version of a service", async (t) => {
    const daemon = await startDaemon(t);
    const mesh = await connectTo(t, daemon);
    const order = ["item", 1, "string"] as const;
    const old = createShop({ order: [order], receipt: [["note", 2, "string"]] });
    const next = createShop({
      order: [order, ["count", 3, "int32"]],
      receipt: [["note", 2, "string"]],
    });
    const client = new GrpcClient(t, "unused", { channelOverride: koalaChannel("shop", { mesh }) });
    const note = async (): Promise<unknown> => {
      const request: Record<string, unknown> = { item: "tea", count: 3 };
      const { reply, details } = await client.unary(next.service.methods[0]!, request);
      return (reply as { note?: string } | undefined)?.note ?? details;
    };
    const serve = (shop: typeof old): ReturnType<typeof mesh.serve> =>
      mesh.serve({ name: "shop" }, (router) => {
        const handler = (request: object): object => ({ note: JSON.stringify(request) });
        const { localName } = shop.service.methods[0]!;
        router.service(shop.service, { [localName]: handler } as never);
      });
    const first = await serve(old);
    assert.match(String(await note()), /tea/);
    assert.doesNotMatch(String(await note()), /count/);
    await first.close();
    await serve(next);
    await until("the new field arrives", async () => /"count":3/.test(String(await note())));
  });

  it("goes on with a daemon that was started again", async (t) => {
    const first = await startDaemon(t);
    const { prefix } = first;
    await serveProbe(t, first);
    const client = new GrpcClient(t, "unused", {
      channelOverride: koalaChannel("probe", { prefix, log: () => {} }),
    });
    assert.equal((await client.unary(echo, { text: "before" })).reply?.text, "before");
    const open = drainStream(client.serverStream(list, { notes: 1, hold: true }));
    await first.kill();
    assert.equal((await open).code, status.UNAVAILABLE);
    await startDaemon(t, { prefix });
    const metadata = new grpc.Metadata({ waitForReady: true });
    const deadline = Date.now() + 30_000;
    const { reply } = await client.unary(echo, { text: "after" }, metadata, { deadline });
    assert.equal(reply?.text, "after");
  });

  it("takes the descriptors that it is given", async (t) => {
    const daemon = await startDaemon(t);
    const channelOverride = koalaChannel("probe", {
      mesh: await connectTo(t, daemon),
      descriptors: [Probe],
    });
    const client = new GrpcClient(t, "unused", { channelOverride });
    // Nobody has to be asked for them.
    const metadata = new grpc.Metadata({ waitForReady: true });
    const waiting = client.unary(echo, { text: "known" }, metadata);
    await serveProbe(t, daemon);
    assert.equal((await waiting).reply?.text, "known");
    assert.throws(() => koalaChannel("probe", { descriptors: "/no/such/file" }), {
      code: "ERR_GRPCJS_DESCRIPTORS",
      message: /buf build/,
    });
    assert.throws(() => koalaChannel(""), { code: "ERR_GRPCJS_TARGET" });
  });

  it("leaves a program's own errors to the program", async (t) => {
    const daemon = await startDaemon(t);
    await serveProbe(t, daemon);
    const client = await clientAt(t, daemon);
    await client.unary(echo, {});
    const caught = new Promise<unknown>((resolve) => {
      const others = process.listeners("uncaughtException");
      process.removeAllListeners("uncaughtException");
      process.once("uncaughtException", (error) => {
        for (const listener of others) process.on("uncaughtException", listener);
        resolve(error);
      });
    });
    const error = new RpcError(grpc.status.INTERNAL, "thrown in a callback");
    const stream = client.serverStream(list, { notes: 1 });
    stream.once("data", () => {
      throw error;
    });
    assert.equal(await caught, error);
    assert.equal((await client.unary(echo, { text: "go on" })).reply?.text, "go on");
  });
});

/** Resolves when a number has become another one than 0, and stays. */
async function settled(what: string, count: () => number): Promise<void> {
  await until(what, async () => {
    const before = count();
    await new Promise((resolve) => setTimeout(resolve, 50));
    return before > 0 && count() === before;
  });
}
