/** Service implementations of grpc-js served by Koala, beside what the interoperability cases do with them. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { create, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { KoalaServer, koalaChannel, serveGrpcJs } from "@koala/grpc-js";
import { KoalaError, type Mesh, type RpcError, Status } from "@koala/mrpc";
import { serviceSchemaOf } from "@koala/schema";
import { until } from "@koala/testing";
import { Kitchen } from "../gen/test/v1/kitchen_pb.ts";
import { NoteSchema, Probe } from "../gen/test/v1/probe_pb.ts";
import { Vault } from "../gen/test/v1/vault_pb.ts";
import { createFolder, startDaemon } from "../stage/cluster.ts";
import { drainStream, GrpcClient } from "../stage/grpc-client.ts";
import { connectTo } from "../stage/kitchen.ts";

type Note = MessageShape<typeof NoteSchema>;
type Reply = grpc.sendUnaryData<object>;

const { echo, fail, list, collect, talk } = Probe.method;
const includeDirs = [fileURLToPath(new URL("../../proto/", import.meta.url))];

function load(file: string, service: string): grpc.ServiceDefinition {
  return loadSync(file, { includeDirs })[service] as grpc.ServiceDefinition;
}

const loaded = load("test/v1/probe.proto", "test.v1.Probe");

/** As generators make them: functions for messages, and no descriptors. */
const generated = Object.fromEntries(
  Probe.methods.map((method) => {
    const write = (message: object): Buffer =>
      Buffer.from(toBinary(method.output, create(method.output, message as never)));
    return [
      method.localName,
      {
        path: `/test.v1.Probe/${method.name}`,
        requestStream: method.proto.clientStreaming,
        responseStream: method.proto.serverStreaming,
        requestSerialize: (message: object) =>
          Buffer.from(toBinary(method.input, create(method.input, message as never))),
        requestDeserialize: (bytes: Buffer) => fromBinary(method.input, bytes),
        responseSerialize: write,
        responseDeserialize: (bytes: Buffer) => fromBinary(method.output, bytes),
      },
    ];
  }),
) as unknown as grpc.ServiceDefinition;

function clientOn(t: Parameters<typeof createFolder>[0], mesh: Mesh): GrpcClient {
  return new GrpcClient(t, "unused", { channelOverride: koalaChannel("probe", { mesh }) });
}

describe("an implementation for grpc-js, served by Koala", { timeout: 120_000 }, () => {
  it("gets what grpc-js would give it, and says what it would say", async (t) => {
    const daemon = await startDaemon(t);
    const mesh = await connectTo(t, daemon);
    const seen: unknown[] = [];
    await serveGrpcJs(mesh, { name: "probe" }, [
      [
        loaded,
        {
          echo(call: grpc.ServerUnaryCall<Note, object>, reply: Reply) {
            seen.push(call.metadata.get("x-a"), call.getPath(), call.getHost(), call.getPeer());
            seen.push(Number(call.getDeadline()) > Date.now(), call.cancelled);
            const header = new grpc.Metadata();
            header.set("x-bytes-bin", Buffer.from([1, 2]));
            call.sendMetadata(header);
            const trailers = new grpc.Metadata();
            trailers.set("x-late", "trailer");
            reply(null, { text: call.request.text.toUpperCase() }, trailers);
          },
          fail(call: grpc.ServerUnaryCall<{ status?: number }, object>, reply: Reply) {
            const metadata = new grpc.Metadata();
            metadata.set("grpc-status-details-bin", Buffer.from([8, 5]));
            metadata.set("x-reason", "told to");
            if (call.request.status === 0) reply(new Error("plain"));
            else if (call.request.status === 1) throw new Error("thrown");
            else if (call.request.status === 2) call.emit("error", { code: 2, details: "emitted" });
            else reply({ code: grpc.status.NOT_FOUND, details: "not here", metadata });
          },
          list(call: grpc.ServerWritableStream<{ notes: number; status?: number }, object>) {
            for (let number = 0; number < call.request.notes; number++) call.write({ number });
            const trailers = new grpc.Metadata();
            trailers.set("x-late", "after notes");
            if (!call.request.status) call.end(trailers);
            else call.destroy(Object.assign(new Error("broken"), { code: call.request.status }));
          },
          talk(call: grpc.ServerDuplexStream<Note, object>) {
            // As many write it: a stream of Node, piped.
            call.on("data", ({ text }: Note) => call.write({ text }));
            call.on("end", () => call.end());
          },
        } as unknown as grpc.UntypedServiceImplementation,
      ],
    ]);
    const client = clientOn(t, mesh);
    const metadata = new grpc.Metadata();
    metadata.set("x-a", "b");
    const deadline = Date.now() + 100_000;
    const done = await client.unary(echo, { text: "shout" }, metadata, { deadline });
    assert.equal(done.reply?.text, "SHOUT");
    assert.deepEqual(seen, [["b"], "/test.v1.Probe/Echo", "probe", "unknown", true, false]);
    assert.deepEqual(done.header.get("x-bytes-bin"), [Buffer.from([1, 2])]);
    assert.deepEqual(done.trailer.get("x-late"), ["trailer"]);

    const failed = await client.unary(fail, { status: 5 });
    assert.deepEqual([failed.code, failed.details], [grpc.status.NOT_FOUND, "not here"]);
    assert.deepEqual(failed.trailer.get("grpc-status-details-bin"), [Buffer.from([8, 5])]);
    assert.deepEqual(failed.trailer.get("x-reason"), ["told to"]);
    const thrown = await client.unary(fail, { status: 1 });
    assert.deepEqual([thrown.code, thrown.details], [grpc.status.UNKNOWN, "Unknown error"]);
    assert.equal((await client.unary(fail, { status: 2 })).details, "emitted");

    const all = await drainStream(client.serverStream(list, { notes: 1000 }));
    assert.deepEqual([all.messages.length, all.code], [1000, grpc.status.OK]);
    const broken = await drainStream(client.serverStream(list, { notes: 0, status: 9 }));
    assert.deepEqual([broken.code, broken.details], [9, "broken"]);

    const stream = client.bidi(talk);
    const heard = drainStream(stream);
    for (let number = 0; number < 100; number++) {
      stream.write(create(NoteSchema, { text: String(number) }));
    }
    stream.end();
    assert.equal((await heard).messages.length, 100);

    const missing = await new Promise<grpc.ServiceError | null>((resolve) => {
      client.clientStream(collect, (error) => resolve(error));
    });
    assert.equal(missing?.code, grpc.status.UNIMPLEMENTED);
  });

  it("is told when its caller gives up", async (t) => {
    const daemon = await startDaemon(t);
    const mesh = await connectTo(t, daemon);
    const cancelled: string[] = [];
    const onCancelled = (call: { cancelled: boolean; getPath(): string } & NodeJS.EventEmitter) =>
      call.on("cancelled", () => cancelled.push(`${call.getPath()} ${call.cancelled}`));
    const server = await serveGrpcJs(mesh, { name: "probe" }, [
      [loaded, { echo: onCancelled, list: onCancelled, collect: onCancelled, talk: onCancelled }],
    ]);
    const client = clientOn(t, mesh);
    const deadline = Date.now() + 300;
    const late = await client.unary(echo, {}, new grpc.Metadata(), { deadline });
    assert.equal(late.code, grpc.status.DEADLINE_EXCEEDED);
    const calls = [
      client.serverStream(list, {}),
      client.clientStream(collect, () => {}),
      client.bidi(talk),
    ];
    for (const call of calls) {
      call.on("error", () => {});
      setTimeout(() => call.cancel(), 50);
    }
    await until("all handlers know", () => cancelled.length === 4);
    assert.deepEqual(cancelled.sort(), [
      "/test.v1.Probe/Collect true",
      "/test.v1.Probe/Echo true",
      "/test.v1.Probe/List true",
      "/test.v1.Probe/Talk true",
    ]);
    // Handlers that answer nothing any more hold nothing.
    assert.deepEqual(await server.close({ graceMs: 10_000 }), { cut: 0 });
  });

  it("runs server interceptors, the last one outermost", async (t) => {
    const daemon = await startDaemon(t);
    const mesh = await connectTo(t, daemon);
    const order: string[] = [];
    const named =
      (name: string): grpc.ServerInterceptor =>
      (method, call) =>
        new grpc.ServerInterceptingCall(call, {
          start(next) {
            next({
              onReceiveMetadata(metadata, pass) {
                order.push(`${name} ${method.path}`);
                metadata.set("x-seen", name);
                pass(metadata);
              },
            });
          },
          sendMessage(message, next) {
            order.push(`${name} sends`);
            next(message);
          },
        });
    await serveGrpcJs(mesh, { name: "probe", interceptors: [named("inner"), named("outer")] }, [
      [
        loaded,
        {
          echo: (call: grpc.ServerUnaryCall<Note, object>, reply: Reply) =>
            reply(null, { text: String(call.metadata.get("x-seen")) }),
        },
      ],
    ]);
    const { reply } = await clientOn(t, mesh).unary(echo, {});
    assert.equal(reply?.text, "outer");
    assert.deepEqual(order, [
      "inner /test.v1.Probe/Echo",
      "outer /test.v1.Probe/Echo",
      "outer sends",
      "inner sends",
    ]);
  });

  it("passes time, cancelling and trace on to calls that it makes", async (t) => {
    const daemon = await startDaemon(t);
    const mesh = await connectTo(t, daemon);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const inner: { left: number | undefined; trace: string | undefined; reason: unknown }[] = [];
    await mesh.serve({ name: "inner" }, (router) =>
      router.service(Probe, {
        echo: (_note, context) =>
          new Promise(() => {
            const { timeoutMs: left, signal, traceparent: trace } = context;
            const entry = { left, trace, reason: undefined as unknown };
            inner.push(entry);
            signal.addEventListener("abort", () => {
              entry.reason = (signal.reason as RpcError).statusName;
            });
          }),
      }),
    );
    const innerClient = new GrpcClient(t, "unused", {
      channelOverride: koalaChannel("inner", { mesh }),
    });
    const outcomes: number[] = [];
    await serveGrpcJs(mesh, { name: "probe" }, [
      [
        loaded,
        {
          echo(parent: grpc.ServerUnaryCall<Note, object>) {
            const propagate_flags =
              parent.request.text === "all"
                ? grpc.propagate.DEFAULTS
                : grpc.propagate.DEADLINE | grpc.propagate.CANCELLATION;
            const options = { parent, propagate_flags };
            void innerClient
              .unary(echo, {}, new grpc.Metadata(), options)
              .then(({ code }) => outcomes.push(code));
          },
        },
      ],
    ]);
    for (const text of ["all", "some"]) {
      const metadata = new grpc.Metadata();
      metadata.set("traceparent", traceparent);
      const before = outcomes.length;
      const options = { deadline: Date.now() + 100_000 };
      const call = new Promise<grpc.ServiceError | null>((resolve) => {
        const running = clientOn(t, mesh).client.makeUnaryRequest(
          "/test.v1.Probe/Echo",
          (note: object) => Buffer.from(toBinary(NoteSchema, create(NoteSchema, note))),
          (bytes) => bytes,
          { text },
          metadata,
          options,
          (error) => resolve(error),
        );
        void until("the inner call runs", () => inner.length === before + 1).then(() =>
          running.cancel(),
        );
      });
      assert.equal((await call)?.code, grpc.status.CANCELLED);
      await until("the inner call ends", () => {
        return outcomes.length > before && inner[before]!.reason !== undefined;
      });
      const { left, trace, reason } = inner[before]!;
      assert.ok(left !== undefined && left > 1000 && left <= 100_000, `${left} ms left`);
      assert.deepEqual([outcomes[before], reason], [grpc.status.CANCELLED, "CANCELLED"]);
      if (text === "all") assert.match(String(trace), /^00-0af7651916cd43dd8448eb211c80319c-/);
    }
  });

  it("needs descriptors where its definition has none, and says how to make them", async (t) => {
    const daemon = await startDaemon(t);
    const mesh = await connectTo(t, daemon);
    const service = [
      generated,
      {
        echo: (call: grpc.ServerUnaryCall<Note, object>, reply: Reply) => reply(null, call.request),
      },
    ] as const;
    const without = await refusal(serveGrpcJs(mesh, { name: "probe" }, [service]));
    assert.equal(without.code, "ERR_GRPCJS_DESCRIPTORS");
    assert.match(without.message, /test\.v1\.Probe.*buf build -o .*descriptors/);
    const file = join(createFolder(t), "probe.binpb");
    const { descriptorSet } = serviceSchemaOf(Probe);
    writeFileSync(file, descriptorSet);
    for (const descriptors of [file, descriptorSet, [Probe]]) {
      const server = await serveGrpcJs(mesh, { name: "probe", descriptors }, [service]);
      const { reply } = await clientOn(t, mesh).unary(echo, { text: "described" });
      assert.equal(reply?.text, "described");
      await server.close();
    }
    const other = await refusal(
      serveGrpcJs(mesh, { name: "probe", descriptors: new Uint8Array([255]) }, [service]),
    );
    assert.equal(other.code, "ERR_GRPCJS_DESCRIPTORS");
    const wrong = { Echo: { ...loaded["Echo"]!, responseStream: true } };
    const kind = await refusal(serveGrpcJs(mesh, { name: "probe" }, [[wrong, {}]]));
    assert.equal(kind.code, "ERR_GRPCJS_DEFINITION");
    assert.match(kind.message, /do not agree/);
    const more = { Sing: { ...loaded["Echo"]!, path: "/test.v1.Probe/Sing" } };
    const method = await refusal(
      serveGrpcJs(mesh, { name: "probe", descriptors: [Probe] }, [[more, {}]]),
    );
    assert.match(method.message, /has no such method/);
  });

  it("has the layout of the compiler's descriptors when proto-loader has made them", async (t) => {
    const daemon = await startDaemon(t);
    const mesh = await connectTo(t, daemon);
    for (const keepCase of [true, false]) {
      for (const [file, desc] of [
        ["test/v1/kitchen.proto", Kitchen],
        ["test/v1/vault.proto", Vault],
        ["test/v1/probe.proto", Probe],
      ] as const) {
        const definition = loadSync(file, { includeDirs, keepCase })[desc.typeName];
        const name = `${desc.name}-${keepCase}`;
        await serveGrpcJs(mesh, { name }, [[definition as grpc.ServiceDefinition, {}]]);
        const offer = (await mesh.services()).find((each) => each.name === name);
        assert.deepEqual(offer?.hashes, [serviceSchemaOf(desc).hash], name);
      }
    }
  });

  it("runs in a server of the shape of grpc-js's, which ends in both ways", async (t) => {
    const daemon = await startDaemon(t);
    const start = async (): Promise<{ server: KoalaServer; running: () => number }> => {
      let running = 0;
      const server = new KoalaServer({
        name: "probe",
        connect: { prefix: daemon.prefix, name: "shaped" },
      });
      server.addService(loaded, {
        echo(call: grpc.ServerUnaryCall<Note, object>, reply: Reply) {
          running++;
          call.on("cancelled", () => running--);
          if (call.request.text === "finish") setTimeout(() => reply(null, {}), 100);
        },
      });
      assert.throws(() => server.addService(loaded, {}), { code: "ERR_GRPCJS_TWICE" });
      const credentials = grpc.ServerCredentials.createInsecure();
      const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync("0.0.0.0:50051", credentials, (error, bound) => {
          if (error === null) resolve(bound);
          else reject(error);
        });
      });
      assert.equal(port, 0);
      assert.throws(() => server.addService(loaded, {}), { code: "ERR_GRPCJS_STARTED" });
      return { server, running: () => running };
    };
    const client = clientOn(t, await connectTo(t, daemon));

    const first = await start();
    const finished = client.unary(echo, { text: "finish" });
    await until("the call runs", () => first.running() === 1);
    await new Promise<void>((resolve, reject) => {
      first.server.tryShutdown((error) => (error === undefined ? resolve() : reject(error)));
    });
    assert.equal((await finished).code, grpc.status.OK);
    assert.equal((await client.unary(echo, {})).code, grpc.status.UNAVAILABLE);

    const second = await start();
    const cut = client.unary(echo, { text: "never" });
    await until("the call runs", () => second.running() === 1);
    const patient = new Promise((resolve) => second.server.tryShutdown(resolve));
    second.server.forceShutdown();
    const { code, details } = await cut;
    assert.deepEqual([code, details], [grpc.status.UNAVAILABLE, '"probe" was shut down']);
    await patient;
    assert.equal(second.running(), 0);
    await assert.rejects(second.server.start(), { code: "ERR_GRPCJS_CLOSED" });
  });

  it("keeps the errors of a handler's stream until what it wrote is sent", async (t) => {
    const daemon = await startDaemon(t);
    const mesh = await connectTo(t, daemon);
    await serveGrpcJs(mesh, { name: "probe" }, [
      [
        loaded,
        {
          list(call: grpc.ServerWritableStream<unknown, object>) {
            for (let number = 0; number < 500; number++) {
              call.write({ number, data: Buffer.alloc(2000) });
            }
            call.emit("error", { code: Status.ABORTED, details: "enough" });
          },
        },
      ],
    ]);
    const stream = clientOn(t, mesh).serverStream(list, {});
    await once(stream, "readable");
    const { messages, code, details } = await drainStream(stream);
    assert.deepEqual([messages.length, code, details], [500, Status.ABORTED, "enough"]);
  });
});

/** The error that serving ends with. */
async function refusal(serving: Promise<unknown>): Promise<KoalaError> {
  const error = await serving.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof KoalaError);
  return error;
}
